"""The monitor stage on a real warehouse: the same rows whatever the way to a night; alerts that can be made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from affect_pipeline.monitoring.audit import replay
from affect_pipeline.monitoring.words import to_date
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages import monitor as stage
from affect_pipeline.stages.monitor import monitor
from affect_pipeline.warehouse.engine import connect, disconnect
from affect_pipeline.warehouse.hash import table_hashes
from affect_pipeline.warehouse.load import upsert
from affect_pipeline.warehouse.queries import sql
from tests.monitoring.made import DAY_0, steady, worse
from tests.warehouse.rows import BIOMARKERS, biomarkers, frame, journal, key, patient, score

N_PATIENTS, N_DAYS, ONSET, LATE = 5, 46, 34, 3
FIRST, LAST = to_date(DAY_0), to_date(DAY_0 + N_DAYS - 1)
DERIVED = ("monitored_days", "baselines", "chart_state", "drift_alerts", "alert_events")
MEASURED = {"f0_sd_st": 3, "speech_rate_hz": 4, "pause_rate_per_min": 5, "energy_sd_db": 6}


def load(settings: Settings) -> None:
    """Fill a warehouse: five patients, the first of whom gets worse; one journal in twelve comes late."""
    values = worse(steady(N_PATIENTS, N_DAYS, seed=11), 0, ONSET, None, 3.0)
    late = np.random.default_rng(5).random(values.shape[:2]) < 1 / 12
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in ("journals", "scores", "biomarkers")}
    for person, day in np.argwhere(np.isfinite(values).any(axis=2)):
        name, local_day, whose = f"{person}/{day}", to_date(DAY_0 + day), {"patient_key": key(f"p{person}")}
        night = min(local_day + timedelta(days=LATE if late[person, day] else 0), LAST)
        now = values[person, day]
        tables["journals"].append(journal(name, local_day=local_day, night=night, **whose))
        tables["scores"].append(score(
            name, local_day=local_day, depression_logit=now[0],
            valence=np.clip(now[1] / 10, -1, 1), arousal=np.clip(now[2] / 10, -1, 1), **whose,
        ))  # fmt: skip
        measured = dict.fromkeys(BIOMARKERS, 1.0) | {column: 10 + now[c] for column, c in MEASURED.items()}
        tables["biomarkers"].append(biomarkers(name, local_day=local_day, **whose, **measured))
    accepted = [
        {"journal_id": row["journal_id"], "status": "accepted", "failed": [], "warned": []}
        for row in tables["journals"]
    ]
    gone = {"consent_withdrawn_night": LAST - timedelta(days=2)}
    people = [patient(f"p{k}", first_night=FIRST, **(gone if k == 4 else {})) for k in range(N_PATIENTS)]
    with connect(settings).begin() as connection:
        upsert(connection, "patients", frame(*people))
        for table, rows in tables.items():
            upsert(connection, table, frame(*rows))
        upsert(connection, "journal_verdicts", frame(*accepted))


def derived(settings: Settings) -> dict[str, Any]:
    return {row.table: (row.n_rows, row.digest) for row in table_hashes(connect(settings)) if row.table in DERIVED}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose cache of limits all tests share."""
    return tmp_path_factory.mktemp("monitor") / "home"


@pytest.fixture
def made(new_warehouse: Callable[[Path], Settings], home: Path) -> Iterator[Callable[[], Settings]]:
    """Makes warehouses with the cohort in them, of which no night is judged yet."""
    all_made: list[Settings] = []

    def make() -> Settings:
        all_made.append(new_warehouse(home))
        load(all_made[-1])
        return all_made[-1]

    yield make
    for settings in all_made:
        disconnect(settings)


def nights(first: int, last: int) -> Nights:
    return Nights(to_date(DAY_0 + first), to_date(DAY_0 + last))


def test_nights_one_by_one_in_order_or_not_are_one_backfill(made: Callable[[], Settings]) -> None:
    whole, stepwise, again = made(), made(), made()

    result = monitor(whole, nights(0, N_DAYS - 1))
    for first, last in ((0, 39), (40, 40), (41, 41), (42, 44), (45, 45)):
        monitor(stepwise, nights(first, last))
    for first, last in ((0, 41), (43, 45), (42, 42), (42, 42)):
        monitor(again, nights(first, last))

    assert result.n_alerts_opened >= 1
    assert all(n_rows for n_rows, _ in derived(whole).values())
    assert len(derived(whole)) == len(DERIVED)
    assert derived(stepwise) == derived(whole)
    assert derived(again) == derived(whole)


def test_the_pipeline_role_is_enough(made: Callable[[], Settings]) -> None:
    owned, granted = made(), made()
    as_pipeline = sa.make_url(granted.warehouse_url).update_query_dict({"options": "-c role=affect_pipeline"})
    granted = granted.model_copy(update={"warehouse_url": as_pipeline.render_as_string(hide_password=False)})

    for first, last in ((0, 40), (41, 41), (42, 45)):
        monitor(owned, nights(first, last))
        monitor(granted, nights(first, last))

    with connect(granted).connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == "affect_pipeline"
        sides = connection.scalars(sa.text("SELECT DISTINCT side FROM affect.chart_state")).all()
        assert sides == connection.scalars(sa.text("SELECT side FROM affect.monitor_progress")).all()
    assert derived(granted) == derived(owned)


def test_states_of_two_models_stand_side_by_side(made: Callable[[], Settings]) -> None:
    settings = made()
    monitor(settings, nights(0, 43))
    other = "0" * 64
    with connect(settings).begin() as connection:
        connection.execute(sa.text("INSERT INTO affect.scores SELECT local_day, journal_id, patient_key, :other, "
            "depression_probability, depression_logit, depression_logit_se, valence, valence_se, arousal, arousal_se, "
            "n_windows FROM affect.scores"), {"other": other})  # fmt: skip
        first = connection.scalar(sa.text("SELECT model_digest FROM affect.monitor_progress"))
    count = sa.text("SELECT model_digest, count(*) FROM affect.chart_state GROUP BY model_digest")

    for night in (44, 45):
        assert monitor(settings, nights(night, night)).model_digest == other

    with connect(settings).connect() as connection:
        assert dict(connection.execute(count).all()) == {first: N_PATIENTS, other: N_PATIENTS}


def test_a_night_goes_on_from_states_and_one_out_of_order_makes_everything_anew(made: Callable[[], Settings]) -> None:
    settings = made()

    found = [monitor(settings, nights(*span)).anew for span in ((0, 30), (31, 31), (32, 33), (32, 32), (34, 34))]

    assert found == [True, False, False, True, False]


def test_other_rules_make_everything_anew(made: Callable[[], Settings]) -> None:
    settings = made()
    monitor(settings, nights(0, 30))

    other = settings.model_copy(update={"false_alarms_per_patient_90d": 0.2})

    assert monitor(other, nights(31, 31)).anew


def test_an_alert_made_again_is_identical_and_one_whose_past_was_changed_is_not(made: Callable[[], Settings]) -> None:
    settings = made()
    monitor(settings, nights(0, N_DAYS - 1))

    with connect(settings).begin() as connection:
        alert_id = connection.scalar(sa.text("SELECT alert_id FROM affect.drift_alerts WHERE kind = 'worsening'"))
        same = replay(connection, settings, alert_id[:12])
        connection.execute(
            sa.text("UPDATE affect.scores SET depression_logit = -20 WHERE journal_id = :journal_id"),
            {"journal_id": _a_journal_after_the_onset(connection)},
        )
        other = replay(connection, settings, alert_id)
        connection.rollback()

    assert same.identical
    assert same.n_journals >= 25
    assert not other.identical
    assert all(difference.stored != difference.now for difference in other.differences)


def _a_journal_after_the_onset(connection: sa.Connection) -> str:
    found = connection.scalars(
        sa.text(
            "SELECT journal_id FROM affect.scores WHERE patient_key = :who AND local_day > :onset ORDER BY local_day"
        ),
        {"who": key("p0"), "onset": to_date(DAY_0 + ONSET)},
    )
    return str(found.first())


def test_no_alert_of_a_patient_whose_consent_is_gone_stands(made: Callable[[], Settings]) -> None:
    settings = made()
    monitor(settings, nights(0, N_DAYS - 1))

    with connect(settings).connect() as connection:
        states = connection.execute(
            sa.text("SELECT DISTINCT state FROM affect.baselines WHERE patient_key = :who"), {"who": key("p4")}
        )
        assert states.scalars().all() == ["withdrawn"]
        standing = sa.text("SELECT count(*) FROM affect.drift_alerts WHERE patient_key = :who AND state = 'open'")
        assert connection.scalar(standing, {"who": key("p4")}) == 0


def test_another_model_begins_baselines_of_its_own_and_resolves_the_alerts_of_the_one_before(
    made: Callable[[], Settings],
) -> None:
    settings, other = made(), "0" * 64
    monitor(settings, nights(0, 44))
    rescored = sa.text(
        "INSERT INTO affect.scores SELECT local_day, journal_id, patient_key, :other, depression_probability, "
        "depression_logit + 5, depression_logit_se, valence, valence_se, arousal, arousal_se, n_windows "
        "FROM affect.scores"
    )
    with connect(settings).begin() as connection:
        before = connection.scalars(sa.text("SELECT alert_id FROM affect.drift_alerts WHERE state = 'open'")).all()
        connection.execute(rescored, {"other": other})

    result = monitor(settings, nights(45, 45))

    with connect(settings).connect() as connection:
        ready = connection.execute(
            sa.text(
                "SELECT count(DISTINCT patient_key) FROM affect.baselines WHERE model_digest = :d AND state = 'ready'"
            ),
            {"d": other},
        ).scalar_one()
        told = connection.execute(
            sa.text("SELECT kind, explanation FROM affect.alert_events WHERE alert_id = :id ORDER BY seq DESC LIMIT 1"),
            {"id": before[0]},
        ).one()
    assert (result.model_digest, result.anew) == (other, True)
    assert ready >= 3
    assert told.kind == "resolved"
    assert "another model version" in told.explanation


def test_patients_judged_range_by_range_are_patients_judged_at_once(
    made: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, ranges = made(), made()
    monitor(whole, nights(0, 43))
    monitor(whole, nights(44, 45))

    monkeypatch.setattr(stage, "PATIENTS_PER_RANGE", 1)
    monitor(ranges, nights(0, 43))
    monitor(ranges, nights(44, 45))

    assert derived(ranges) == derived(whole)


def test_a_run_waits_for_another_of_the_same_nights(made: Callable[[], Settings]) -> None:
    alone, contested = made(), made()
    monitor(alone, nights(0, N_DAYS - 1))

    with ThreadPoolExecutor(1) as others:
        with connect(contested).begin() as connection:
            lock = sa.text(sql("monitor/lock_monitor"))
            digest = connection.scalar(sa.text("SELECT DISTINCT model_digest FROM affect.scores"))
            connection.execute(lock, {"model_digest": digest})
            waiting = others.submit(monitor, contested, nights(0, N_DAYS - 1))
            _, unfinished = wait([waiting], timeout=1.5)
            assert unfinished, "it has not begun to read what another may be about to replace"
        assert waiting.result(timeout=60).anew

    assert derived(contested) == derived(alone)
