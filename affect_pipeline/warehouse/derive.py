"""Tables that are worked out from other tables, in SQL."""

from __future__ import annotations

import sqlalchemy as sa

from affect_pipeline.nights import Nights
from affect_pipeline.warehouse.queries import sql


def derive_nights(connection: sa.Connection, nights: Nights) -> int:
    """Write the counts of these nights, and of any other night that shares a recording with them.

    Returns
    -------
    int
        Nights written.
    """
    values = {"first_night": nights.first, "last_night": nights.last}
    return int(connection.execute(sa.text(sql("derive/nights")), values).rowcount)
