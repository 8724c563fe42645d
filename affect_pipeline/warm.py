"""``python -m affect_pipeline.warm scheduler``: Airflow, with what the stages import imported beforehand.

Airflow forks a process for each task. Torch, Great Expectations, MLflow and librosa take a task five seconds to
import; imported once by the process that forks, they take none. Only imports are done: no thread is started and
nothing is opened that a fork could not share.
"""

from __future__ import annotations

import gc
import importlib
import sys
from typing import Any

from affect_pipeline.acoustics.compiled import import_librosa

IMPORTED_BY_STAGES = (
    "affect_pipeline.acoustics.measure",
    "affect_pipeline.airflow_tasks",
    "affect_pipeline.model.scorer",
    "affect_pipeline.monitoring.engine",
    "affect_pipeline.population.check",
    "affect_pipeline.stages.collect",
    "affect_pipeline.stages.measure",
    "affect_pipeline.stages.monitor",
    "affect_pipeline.stages.publish",
    "affect_pipeline.stages.score",
    "affect_pipeline.stages.validate",
    "affect_pipeline.warehouse.load",
    "fsspec",
    "great_expectations",
    "great_expectations.expectations",
    "mlflow",
    "onnxruntime",
    "pandas",
    "psycopg",
    "pyarrow.csv",
    "pyarrow.parquet",
    "soundfile",
    "soxr",
    "transformers.models.wav2vec2.modeling_wav2vec2",
)
"""What the stages import, directly or inside their functions."""


def import_stages() -> None:
    """Import what the stages import, and keep the garbage collector from touching it in every fork."""
    for name in IMPORTED_BY_STAGES:
        importlib.import_module(name)
    import_librosa()
    gc.collect()
    gc.freeze()


def main() -> None:
    """Run ``airflow`` with the arguments of this command."""
    import_stages()
    airflow: Any = importlib.import_module("airflow.__main__")
    sys.argv[0] = "airflow"
    airflow.main()


if __name__ == "__main__":
    main()
