"""SQL is found by name."""

from __future__ import annotations

import pytest

from affect_pipeline.warehouse.queries import names, sql


def test_a_file_is_found_by_its_name_or_with_its_folder() -> None:
    assert sql("rank_reliable_changes") == sql("queries/rank_reliable_changes")
    assert "FROM affect.reliable_change" in sql("rank_reliable_changes")
    assert "rank_reliable_changes" in names("queries")


def test_what_is_not_there_is_told_with_names_that_are_close() -> None:
    with pytest.raises(KeyError, match="rank_reliable_changes"):
        sql("rank_reliable_change")


def test_a_name_that_folders_share_needs_its_folder() -> None:
    assert sql("load/scores") != sql("load/journals")
    with pytest.raises(KeyError, match="queries/list_quarantine"):
        sql("list_quarantine")
