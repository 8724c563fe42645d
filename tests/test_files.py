from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affect_pipeline import files
from affect_pipeline.nights import Nights


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 400))
def test_a_range_of_nights_is_read_back_from_its_name(first: date, days: int) -> None:
    nights = Nights(first, date.fromordinal(first.toordinal() + days))
    assert Nights.parse(nights.name) == nights
    assert len(list(nights)) == len(nights) == days + 1
    assert nights.first in nights
    assert nights.last in nights


@pytest.mark.parametrize("text", ["", "today", "2026-02-30", "2026-01-05_2026-01-04", "2026-01-05_x"])
def test_what_is_not_a_range_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a range of nights"):
        Nights.parse(text)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "value.json"
    files.write_json({"n": 1}, target)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json({"n": float("nan")}, target)

    def stop(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"), files.atomic_path(target) as temporary:
        stop(temporary)
    assert files.read_json(target) == {"n": 1}
    assert [path.name for path in target.parent.iterdir()] == ["value.json"]


def test_the_same_table_gives_the_same_parquet_bytes(tmp_path: Path) -> None:
    chunked = pa.concat_tables([pa.table({"a": [1, 2]}), pa.table({"a": [3]})])
    files.write_parquet(chunked, tmp_path / "one.parquet", {"b": "2", "a": "1"})
    files.write_parquet(pa.table({"a": [1, 2, 3]}), tmp_path / "two.parquet", {"a": "1", "b": "2"})
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert files.read_metadata(tmp_path / "one.parquet") == {"a": "1", "b": "2"}
    assert files.read_parquet(tmp_path / "two.parquet", ["a"]).to_pydict() == {"a": [1, 2, 3]}


def test_an_arrow_file_is_read_batch_by_batch(tmp_path: Path) -> None:
    batches = [pa.record_batch({"a": pa.array([n, n])}) for n in range(3)]
    assert files.write_arrow(iter(batches), tmp_path / "x.arrow", batches[0].schema) == 6
    with files.mapped_arrow(tmp_path / "x.arrow") as reader:
        assert [reader.get_batch(i).to_pydict()["a"] for i in range(reader.num_record_batches)] == [
            [0, 0],
            [1, 1],
            [2, 2],
        ]


def test_a_folder_that_is_already_there_wins(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with files.atomic_folder(tmp_path / "folder") as temporary:
            (temporary / "file").write_text(content)
    assert (tmp_path / "folder" / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
