"""``python -m affect_pipeline.stack.first_setup``: what a new local stack needs before its first run.

The packaged model becomes the champion if there is none, and the stack's one Airflow user may look
in. A process of its own: it imports MLflow, which takes seconds, while Airflow starts beside it.
"""

from __future__ import annotations

from affect_pipeline.model.registry import ensure_champion
from affect_pipeline.serving.database import Database
from affect_pipeline.serving.people import Person, add_person, find_by_login
from affect_pipeline.settings import Settings, get_settings
from affect_pipeline.stack.environment import ADMIN


def set_up(settings: Settings) -> None:
    """Do what is not done yet; what is there stays as it is."""
    database = Database(settings)
    if find_by_login(database, ADMIN) is None:
        add_person(database, Person(ADMIN, "Administrator", "admin"))
    ensure_champion(settings)


if __name__ == "__main__":
    set_up(get_settings())
