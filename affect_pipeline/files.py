"""Files that are either whole or not there.

Every file is written under a temporary name in the same folder, flushed to the disk, and moved
into place by one rename. A process killed at any point leaves the old file, or none, never half of
one. What is written depends on the content only, so that writing twice gives the same bytes.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which becomes `path` when the block ends well.

    The folder is made if it is missing. If the block raises, `path` stays as it was.

    Parameters
    ----------
    path : Path
        The file to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`, which becomes `folder` when the block ends well.

    A folder that another process put there meanwhile is kept, and ours is dropped: use it for
    folders named by their content.

    Parameters
    ----------
    folder : Path
        The folder to make; it must not hold anything yet, or hold the same content.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        for file in sorted(temporary.rglob("*")):
            _flush(file)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        _flush(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(content: bytes, path: Path) -> None:
    """Write bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(content: str, path: Path) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(content.encode(), path)


def write_json(content: object, path: Path) -> None:
    """Write JSON atomically, keys sorted, with a final newline.

    Raises
    ------
    ValueError
        If a number is NaN or infinite: JSON has no word for them, use None.
    """
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(text + "\n", path)


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_parquet(table: pa.Table, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write an Arrow table as Parquet, atomically and with the same bytes for the same table.

    Parameters
    ----------
    table : pyarrow.Table
        The rows, in the order they are to have in the file.
    path : Path
        The file to write.
    metadata : Mapping[str, str], optional
        Schema metadata to store (replaces what the table carries); read it back with
        `read_metadata`.
    """
    import pyarrow.parquet as pq

    if metadata is not None:
        table = table.replace_schema_metadata(dict(sorted(metadata.items())))
    with atomic_path(path) as temporary:
        pq.write_table(table.combine_chunks(), temporary, compression="zstd", version="2.6")


def read_parquet(path: Path, columns: Iterable[str] | None = None) -> pa.Table:
    """Read a Parquet file, or only some of its columns."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read(columns=None if columns is None else list(columns))


def read_metadata(path: Path) -> dict[str, str]:
    """Return the schema metadata of a Parquet file, without reading its rows."""
    import pyarrow.parquet as pq

    metadata = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in metadata.items() if key != b"ARROW:schema"}


def write_arrow(batches: Iterable[pa.RecordBatch], path: Path, schema: pa.Schema) -> int:
    """Write an Arrow IPC file atomically, one batch at a time, so that it may exceed the memory.

    Parameters
    ----------
    batches : Iterable[pyarrow.RecordBatch]
        The batches, in the order they are to have in the file.
    path : Path
        The file to write.
    schema : pyarrow.Schema
        The schema of every batch.

    Returns
    -------
    int
        The number of rows written.
    """
    import pyarrow as pa

    n_rows = 0
    with atomic_path(path) as temporary, pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as file:
        for batch in batches:
            file.write_batch(batch)
            n_rows += batch.num_rows
    return n_rows


@contextmanager
def mapped_arrow(path: Path) -> Iterator[pa.RecordBatchFileReader]:
    """Open an Arrow IPC file memory-mapped: a batch is read from the disk when it is asked for."""
    import pyarrow as pa

    with pa.memory_map(str(path), "rb") as source:
        yield pa.ipc.open_file(source)


def _flush(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
