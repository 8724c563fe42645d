"""Questionnaires that arrive with journals and alone."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.nights import Nights
from affect_pipeline.privacy.erasure import erase
from affect_pipeline.privacy.rotation import rotate
from affect_pipeline.settings import Settings
from affect_pipeline.stages.collect import collect
from affect_pipeline.warehouse.access import as_person
from affect_pipeline.warehouse.hash import content_hash
from tests.audio import deliver, encode, sidecar, speech

NIGHT, NEXT_NIGHT = Nights.parse("2026-01-05"), Nights.parse("2026-01-06")
BOTH = Nights(NIGHT.first, NEXT_NIGHT.last)
GOOD = encode(speech()[:4000])
PHQ = {"instrument": "PHQ-9", "items": [1] * 8 + [0], "answered_at": "2026-01-05T09:00:00+01:00"}
COLUMNS = "source, instrument, total, item_9, problem"


def landing(settings: Settings) -> Path:
    root = Path(settings.landing)
    root.mkdir(parents=True, exist_ok=True)
    return root


def note(phq: object = PHQ, **changes: Any) -> bytes:
    return json.dumps(json.loads(sidecar(**changes)) | {"questionnaire": phq}).encode()


def alone(root: Path, name: str, content: object, night: str = "2026-01-05", patient: str = "p1") -> Path:
    path = root / night / patient / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def form(phq: object = PHQ, **fields: object) -> dict[str, object]:
    return {"questionnaire": phq, "consent": True} | fields


def select(engine: Engine, statement: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def test_answers_come_in_with_a_journal(warehouse_settings: Settings, warehouse: Engine) -> None:
    deliver(landing(warehouse_settings), "2026-01-05", "p1", "a.wav", GOOD, note())

    result = collect(warehouse_settings, NIGHT)

    assert (result.n_journals, result.n_questionnaires, result.n_questionnaires_refused) == (1, 1, 0)
    assert select(warehouse, f"SELECT {COLUMNS} FROM questionnaires") == [("journal", "PHQ-9", 8, 0, None)]
    assert select(warehouse, "SELECT j.problem FROM questionnaires JOIN journals AS j USING (journal_id)") == [(None,)]


def test_refused_answers_take_nothing_from_the_journal(warehouse_settings: Settings, warehouse: Engine) -> None:
    bad = PHQ | {"items": [7] * 8 + [3]}
    deliver(landing(warehouse_settings), "2026-01-05", "p1", "a.wav", GOOD, note(bad))

    result = collect(warehouse_settings, NIGHT)

    assert (result.n_refused, result.n_questionnaires_refused) == (0, 1)
    assert select(warehouse, "SELECT problem, device FROM journals") == [(None, "Pixel 8")]
    assert select(warehouse, f"SELECT {COLUMNS} FROM questionnaires") == [("journal", None, None, 3, "items_malformed")]
    assert select(warehouse, "SELECT item_9, problem FROM self_harm_answers") == [(3, "items_malformed")]
    assert select(warehouse, "SELECT count(*) FROM phq_answers") == [(0,)]


def test_answers_come_in_alone_and_bring_a_new_patient_to_the_clinic(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    alone(landing(warehouse_settings), "phq", form(clinic="north", time_zone="Europe/Berlin"))

    result = collect(warehouse_settings, NIGHT)

    assert (result.n_found, result.n_questionnaires) == (0, 1)
    assert select(warehouse, f"SELECT {COLUMNS} FROM questionnaires") == [("file", "PHQ-9", 8, 0, None)]
    assert select(warehouse, "SELECT clinic, first_night FROM patients") == [("north", date(2026, 1, 5))]


def test_a_questionnaire_alone_does_not_wipe_the_profile(warehouse_settings: Settings, warehouse: Engine) -> None:
    root = landing(warehouse_settings)
    deliver(root, "2026-01-05", "p1", "a.wav", GOOD, sidecar())
    alone(root, "phq", form(), "2026-01-06")

    collect(warehouse_settings, BOTH)

    assert select(warehouse, "SELECT clinic, language FROM patients") == [("north", "de")]


@pytest.mark.parametrize("content", [b"{not json", b"[" * 60_000, form([1, 2]), form(PHQ | {"items": None})])
def test_a_file_that_cannot_be_used_says_why(warehouse_settings: Settings, warehouse: Engine, content: object) -> None:
    alone(landing(warehouse_settings), "phq", content)

    assert collect(warehouse_settings, NIGHT).n_questionnaires_refused == 1
    [(problem, detail)] = select(warehouse, "SELECT problem, problem_detail FROM questionnaires")
    assert problem in {"questionnaire_malformed", "items_malformed"}
    assert detail


def test_withdrawn_consent_in_a_questionnaire_counts_as_such(warehouse_settings: Settings, warehouse: Engine) -> None:
    alone(landing(warehouse_settings), "phq", form(PHQ | {"items": [3] * 9}, consent=False))

    collect(warehouse_settings, NIGHT)

    assert select(warehouse, "SELECT consent_withdrawn_night FROM patients") == [(date(2026, 1, 5),)]
    assert select(warehouse, "SELECT items, item_9, problem FROM questionnaires") == [(None, None, "consent_withdrawn")]


def test_the_same_answers_count_once_whatever_the_order_of_the_nights(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    root = landing(warehouse_settings)
    deliver(root, "2026-01-05", "p1", "a.wav", GOOD, note())
    deliver(root, "2026-01-06", "p1", "a-retry.wav", GOOD, note())
    alone(root, "phq", form(), "2026-01-06")
    alone(root, "phq-too", form(PHQ | {"total": 5}), "2026-01-06")
    hashes = set()
    for order in ((NEXT_NIGHT, NIGHT), (NIGHT, NEXT_NIGHT), (BOTH,), (NIGHT, NEXT_NIGHT, NIGHT)):
        with warehouse.begin() as connection:
            connection.execute(sa.text("TRUNCATE patients, journals, deliveries, questionnaires"))
        for nights in order:
            collect(warehouse_settings, nights)
        hashes.add(tuple(sorted(content_hash(warehouse).items())))

    assert len(hashes) == 1
    assert select(warehouse, "SELECT night, source, total FROM phq_answers") == [(date(2026, 1, 5), "journal", 8)]
    assert select(warehouse, "SELECT count(*) FROM questionnaires") == [(4,)]


def test_a_night_that_is_read_again_after_a_correction_leaves_no_trace_of_the_old_answers(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    root = landing(warehouse_settings)
    path = alone(root, "phq", form())
    deliver(root, "2026-01-05", "p1", "a.wav", GOOD, note(PHQ | {"total": 1}))
    collect(warehouse_settings, NIGHT)

    path.write_bytes(sidecar())  # a sidecar whose recording is still to come
    deliver(root, "2026-01-05", "p1", "a.wav", GOOD, note(PHQ | {"total": 8}))
    collect(warehouse_settings, NIGHT)

    assert select(warehouse, f"SELECT {COLUMNS} FROM questionnaires") == [("journal", "PHQ-9", 8, 0, None)]


def test_an_erased_patient_s_answers_are_gone_and_do_not_come_back(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    root = landing(warehouse_settings)
    alone(root, "phq", form(clinic="north"))
    alone(root, "phq", form(clinic="north"), patient="p2")
    collect(warehouse_settings, NIGHT)

    receipt = erase(warehouse_settings, "p1", today=NIGHT.first)
    collect(warehouse_settings, NIGHT)

    other = Pseudonyms(warehouse_settings.pseudonym_key()).patient_key("p2")
    assert receipt.rows["questionnaires"] == 1
    assert select(warehouse, "SELECT patient_key FROM questionnaires") == [(other,)]


def test_new_pseudonyms_reach_questionnaires_and_the_night_run_again_finds_them(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    root = landing(warehouse_settings)
    alone(root, "phq", form(clinic="north"))
    deliver(root, "2026-01-05", "p2", "a.wav", GOOD, note())
    collect(warehouse_settings, NIGHT)
    before = select(warehouse, "SELECT delivery_key FROM questionnaires")

    rotate(warehouse_settings)
    rotated = content_hash(warehouse)
    collect(warehouse_settings, NIGHT)

    pseudonyms = Pseudonyms(warehouse_settings.pseudonym_key())
    keys = {(pseudonyms.patient_key(name), pseudonyms.delivery_key(f"2026-01-05/{name}/{file}.json"))
            for name, file in (("p1", "phq"), ("p2", "a"))}  # fmt: skip
    assert set(select(warehouse, "SELECT patient_key, delivery_key FROM questionnaires")) == keys
    assert not set(before) & set(select(warehouse, "SELECT delivery_key FROM questionnaires"))
    assert content_hash(warehouse) == rotated


def test_a_counselor_sees_the_answers_of_the_own_clinic_only(warehouse_settings: Settings, warehouse: Engine) -> None:
    root = landing(warehouse_settings)
    alone(root, "phq", form(clinic="north"))
    alone(root, "phq", form(PHQ | {"items": [1] * 9}, clinic="south"), patient="p2")
    collect(warehouse_settings, NIGHT)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO people (login, display_name, role, clinics) VALUES ('ann', 'Ann', 'counselor', '{north}')"
            )
        )

    with as_person(warehouse, "ann") as connection:
        assert connection.execute(sa.text("SELECT total FROM affect.phq_answers")).scalars().all() == [8]
        assert connection.execute(sa.text("SELECT * FROM affect.self_harm_answers")).all() == []
