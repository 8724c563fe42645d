"""Changes that people know of from elsewhere: what alerts are held against. The machine itself never reads them."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from affect_pipeline.errors import AffectError
from affect_pipeline.warehouse.queries import sql


def note(connection: sa.Connection, prefix: str, onset_day: date, source: str, actor: str) -> str:
    """Note a known change of one patient; noting it twice changes nothing.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Warehouse, in a transaction.
    prefix : str
        Patient key, or how it begins.
    onset_day : datetime.date
        First day of the change.
    source, actor : str
        How it is known, and who says so.

    Returns
    -------
    str
        The patient key.

    Raises
    ------
    AffectError
        If no patient's key begins so, or more than one's does.
    """
    keys = connection.execute(sa.text(sql("monitor/find_patients")), {"prefix": prefix}).scalars().all()
    if len(keys) != 1 or not prefix:
        raise AffectError(f"{'no' if not keys else 'more than one'} patient key begins with {prefix!r}")
    values = {"patient_key": keys[0], "onset_day": onset_day, "source": source, "actor": actor}
    connection.execute(sa.text(sql("monitor/note_known_change")), values)
    return str(keys[0])
