"""Fixed-width rows in PostgreSQL's binary COPY format, by array maths instead of row by row.

One and a half kilobytes of state a patient are read and written every night for everybody; as text they would be
twice as many bytes, and a Python object a row. See "Binary Format" under COPY in PostgreSQL's manual.
"""

from __future__ import annotations

import numpy as np

from affect_pipeline.monitoring.arrays import Bytes, Ints, Texts

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
EPOCH_2000 = 10_957
"""PostgreSQL counts days from 2000-01-01; we count from 1970-01-01."""


def state_rows(side: int, keys: Texts, model_digest: str, through_day: Ints, version: int, packed: Bytes) -> bytes:
    """Return rows (side, patient_key, model_digest, through_day, version, state) as COPY reads them.

    Parameters
    ----------
    side : int
        Side of the table.
    keys : ndarray of bytes, shape (n,)
        Patient keys of 32 characters.
    model_digest : str
        Model version.
    through_day : ndarray of int, shape (n,)
        Last day judged, as days since 1970-01-01.
    version : int
        Version of the packing.
    packed : ndarray of uint8, shape (n, size)
        States.
    """
    digest = model_digest.encode()
    rows = np.zeros(
        len(keys),
        dtype=[
            ("n", ">i2"), ("side_size", ">i4"), ("side", ">i2"), ("key_size", ">i4"), ("key", "S32"),
            ("digest_size", ">i4"), ("digest", f"S{len(digest)}"),
            ("day_size", ">i4"), ("day", ">i4"), ("version_size", ">i4"), ("version", ">i4"), ("state_size", ">i4"),
            ("state", "u1", (packed.shape[1],)),
        ],
    )  # fmt: skip
    rows["n"], rows["side_size"], rows["key_size"], rows["digest_size"] = 6, 2, 32, len(digest)
    rows["day_size"], rows["version_size"], rows["state_size"] = 4, 4, packed.shape[1]
    rows["side"], rows["key"], rows["digest"], rows["version"] = side, keys, digest, version
    rows["day"] = np.asarray(through_day) - EPOCH_2000
    rows["state"] = packed
    return HEADER + rows.tobytes() + TRAILER


def state_columns(rows: bytes) -> tuple[Texts, Bytes]:
    """Return patient keys, shape (n,), and states, shape (n, size), from rows (patient_key, state) as COPY writes them.

    Raises
    ------
    ValueError
        If keys or states are not all of one size.
    """
    body = memoryview(rows)[len(HEADER) : -len(TRAILER)]
    if not body:
        return np.zeros(0, "S32"), np.zeros((0, 0), np.uint8)
    size = int(np.frombuffer(body, ">i4", 1, offset=2 + 4 + 32)[0])
    row = np.dtype([("n", ">i2"), ("key_size", ">i4"), ("key", "S32"), ("state_size", ">i4"), ("state", "u1", (size,))])
    if len(body) % row.itemsize:
        raise ValueError("states are to have one size")
    found = np.frombuffer(body, row)
    if not ((found["n"] == 2).all() and (found["key_size"] == 32).all() and (found["state_size"] == size).all()):
        raise ValueError("keys are to have 32 characters, and states one size")
    return found["key"], found["state"]
