from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from affect_pipeline.errors import DecodeError
from affect_pipeline.journals.store import STALE_AFTER_S, RawStore


class Broken(io.BytesIO):
    """A source that fails after a first piece."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError("gone")
        return super().read(10)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_recording_is_kept_under_its_hash_once(tmp_path: Path) -> None:
    store, content = RawStore(tmp_path), b"audio" * 1000
    stored = store.put(io.BytesIO(content), 10_000)
    assert stored.journal_id == hashlib.sha256(content).hexdigest()
    assert (stored.n_bytes, stored.head) == (5000, content[:4096])
    assert store.put(io.BytesIO(content), 10_000) == stored
    assert files(tmp_path) == [store.path(stored.journal_id)]
    assert stored.journal_id in store


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty_file"), (b"x" * 11, "too_large")])
def test_what_is_refused_leaves_nothing_behind(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        RawStore(tmp_path).put(io.BytesIO(content), 10)
    assert caught.value.reason == reason
    assert files(tmp_path) == []


def test_a_source_that_breaks_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        RawStore(tmp_path).put(Broken(b"x" * 100), 1000)
    assert files(tmp_path) == []


def test_a_damaged_copy_is_mended_by_the_next(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    stored = store.put(io.BytesIO(b"audio"), 100)
    store.path(stored.journal_id).write_bytes(b"au")
    store.put(io.BytesIO(b"audio"), 100)
    assert store.path(stored.journal_id).read_bytes() == b"audio"


def test_what_dead_processes_left_is_swept_and_work_in_progress_is_not(tmp_path: Path) -> None:
    store = RawStore(tmp_path)
    assert store.sweep(0.0) == 0
    store.put(io.BytesIO(b"audio"), 100)
    left = tmp_path / "incoming" / "left"
    left.write_bytes(b"half")
    modified_s = left.stat().st_mtime
    assert store.sweep(modified_s + 60) == 0
    assert store.sweep(modified_s + STALE_AFTER_S + 1) == 1
    assert len(files(tmp_path)) == 1
