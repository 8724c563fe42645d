"""``python -m affect_pipeline.stack.first_model``: register the packaged model as champion if there is none.

A process of its own: it imports MLflow, which takes seconds, while Airflow starts beside it.
"""

from __future__ import annotations

from affect_pipeline.model.registry import ensure_champion
from affect_pipeline.settings import get_settings

if __name__ == "__main__":
    ensure_champion(get_settings())
