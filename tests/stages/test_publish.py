"""Publishing a run: its summary, its metrics, and news for people, all of it once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from affect_pipeline.errors import RegistryUnavailable, UnavailableError
from affect_pipeline.model.tracking import mlflow_client
from affect_pipeline.nights import Nights
from affect_pipeline.notify import Nobody, RecordingNotifier
from affect_pipeline.population.check import report_path
from affect_pipeline.settings import Settings
from affect_pipeline.stages.publish import PublishResult, RunIdentity, publish, settings_digest
from affect_pipeline.stages.run_metrics import EXPERIMENT
from affect_pipeline.warehouse.load import upsert
from tests.interop.fhir_server import fhir_server
from tests.population.cohort import LAST_NIGHT, Update, load
from tests.warehouse.rows import DAY, MODEL, alert, frame, journal, key, patient, score

NIGHT = Nights.one(DAY)
RUN = RunIdentity("scheduled__2026-01-05", "nightly_voice_monitoring", datetime(2026, 1, 6, 0, 5, tzinfo=UTC))
DONE_AT = datetime(2026, 1, 6, 0, 25, tzinfo=UTC)


@pytest.fixture(scope="module")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def night(warehouse: sa.Engine, warehouse_settings: Settings, mlflow_uri: str) -> Iterator[Settings]:
    """A night with two journals, one of them quarantined, and one new alert."""
    with warehouse.begin() as connection:
        upsert(connection, "patients", frame(patient()))
        upsert(connection, "journals", frame(journal("one"), journal("two")))
        upsert(connection, "deliveries", frame(*(delivery(name) for name in ("one", "two"))))
        upsert(connection, "journal_verdicts", frame(verdict("one", "accepted"), verdict("two", "quarantined")))
        upsert(connection, "scores", frame(score("one")))
        upsert(connection, "drift_alerts", frame(alert()))
        upsert(connection, "alert_events", frame(event()))
    return warehouse_settings.model_copy(update={"mlflow_uri": mlflow_uri})


def delivery(name: str) -> dict[str, Any]:
    row = journal(name)
    return {column: row[column] for column in ("delivery_key", "night", "journal_id", "patient_key", "problem")}


def verdict(name: str, status: str) -> dict[str, Any]:
    return {"journal_id": journal(name)["journal_id"], "status": status, "failed": [], "warned": []}


def event(**changes: Any) -> dict[str, Any]:
    row = alert()
    kept = {column: row[column] for column in ("alert_id", "severity", "score", "explanation")}
    return kept | {"seq": 1, "night": DAY, "kind": "opened"} | changes


def run(
    settings: Settings, notifier: RecordingNotifier | Nobody | None = None, nights: Nights = NIGHT
) -> PublishResult:
    return publish(settings, nights, RUN, notifier, clock=lambda: DONE_AT)


def rows(engine: sa.Engine, table: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(sa.select("*").select_from(sa.table(table, schema="affect")))
        return [dict(row) for row in found.mappings()]


def test_the_counts_of_a_night_are_derived_and_returned(night: Settings, warehouse: sa.Engine) -> None:
    result = run(night)

    assert result.counts["n_journals"] == 2
    assert result.counts["n_accepted"] == result.counts["n_quarantined"] == result.counts["n_scored"] == 1
    assert result.counts["n_alerts_opened"] == 1
    (derived,) = rows(warehouse, "nights")
    assert derived["n_quarantined"] == 1


def test_a_run_leaves_one_row_that_says_what_made_it(night: Settings, warehouse: sa.Engine) -> None:
    run(night)
    run(night)

    (row,) = rows(warehouse, "runs")
    assert (row["run_id"], row["dag_id"]) == (RUN.run_id, RUN.dag_id)
    assert (row["first_night"], row["last_night"]) == (DAY, DAY)
    assert (row["started_at"], row["finished_at"]) == (RUN.started_at, DONE_AT)
    assert row["model_digest"] == MODEL
    assert row["settings_digest"] == settings_digest(night)
    assert row["outcome"] == "succeeded"
    assert row["counts"]["n_journals"] == 2


def test_the_digest_of_the_settings_moves_with_what_shapes_results_and_with_nothing_else(settings: Settings) -> None:
    digest = settings_digest(settings)

    assert settings_digest(settings.model_copy(update={"threads": 7, "notify_urls": "json://host"})) == digest
    assert settings_digest(settings.model_copy(update={"baseline_days": 35})) != digest


def test_metrics_of_the_same_nights_go_to_one_mlflow_run(night: Settings) -> None:
    run(night)
    run(night)

    with mlflow_client(night) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        (logged,) = client.search_runs([experiment.experiment_id])
    assert logged.data.metrics["n_journals"] == 2
    assert logged.data.metrics["quarantined_share"] == 0.5
    assert logged.info.status == "FINISHED"
    assert logged.data.tags["affect.model_digest"] == MODEL


def test_people_are_told_of_a_new_alert_once(night: Settings) -> None:
    people = RecordingNotifier()

    assert run(night, people).n_told == 1
    assert run(night, people).n_told == 0

    (message,) = people.sent
    assert message.title == "Voice monitoring: 1 new alert (2026-01-05)"
    assert f"patient {key('patient')[:12]}: high, since about 2026-01-05" in message.body


def test_a_message_does_not_say_how_a_patient_is(night: Settings) -> None:
    people = RecordingNotifier()

    run(night, people)

    assert alert()["explanation"] not in people.sent[0].body
    assert "depression" not in people.sent[0].body


def test_a_message_that_does_not_get_through_is_sent_again_by_the_next_try(
    night: Settings, warehouse: sa.Engine
) -> None:
    people = RecordingNotifier(n_failures=1)
    with pytest.raises(UnavailableError):
        run(night, people)
    assert len(rows(warehouse, "runs")) == 1

    assert run(night, people).n_told == 1
    assert len(people.sent) == 1


def test_nobody_is_told_of_the_alerts_of_another_night(night: Settings) -> None:
    people = RecordingNotifier()

    run(night, people, Nights.one(date(2026, 1, 6)))

    assert people.sent == []


def test_what_nobody_was_told_of_can_still_be_told(night: Settings) -> None:
    people = RecordingNotifier()
    run(night, Nobody())

    run(night, people)

    assert len(people.sent) == 1


def test_a_night_without_anything_is_published_too(warehouse_settings: Settings, mlflow_uri: str) -> None:
    empty = warehouse_settings.model_copy(update={"mlflow_uri": mlflow_uri})

    result = run(empty, RecordingNotifier(), Nights.one(date(2026, 2, 1)))

    assert result == PublishResult(dict.fromkeys(result.counts, 0) | {"n_nights": 1}, 0, None)


def test_an_unreachable_registry_is_named_and_people_are_not_told_yet(night: Settings) -> None:
    people = RecordingNotifier()
    astray = night.model_copy(update={"mlflow_uri": "postgresql+psycopg://ann:hunter2@127.0.0.1:1/mlflow"})

    with pytest.raises(RegistryUnavailable, match="AFFECT_MLFLOW_URI") as caught:
        run(astray, people)

    assert "hunter2" not in str(caught.value)
    assert people.sent == []


def test_a_shift_of_the_recordings_as_a_whole_is_told_once_and_leaves_patient_alerts_alone(
    warehouse: sa.Engine, warehouse_settings: Settings, mlflow_uri: str
) -> None:
    load(warehouse, n_patients=40, update=Update())
    with warehouse.begin() as connection:
        upsert(connection, "drift_alerts", frame(alert(opened_night=LAST_NIGHT)))
        upsert(connection, "alert_events", frame(event(night=LAST_NIGHT)))
    settings = warehouse_settings.model_copy(update={"mlflow_uri": mlflow_uri})
    people, before = RecordingNotifier(), rows(warehouse, "drift_alerts")

    first, again = (run(settings, people, Nights.one(LAST_NIGHT)) for _ in range(2))
    run(settings, people, Nights.one(LAST_NIGHT + timedelta(days=1)))

    operators, care_team = people.sent
    assert operators.title == "Voice monitoring: the recordings as a whole have shifted (2026-03-01)"
    assert "device phone-b" in operators.body
    assert "mean energy -" in operators.body
    assert "Patient alerts of this night may come from that" in operators.body
    assert "alerts of this night may come from that" in care_team.body
    assert (first.n_shifts_told, again.n_shifts_told) == (first.counts["n_population_shifts"], 0)
    assert rows(warehouse, "drift_alerts") == before
    assert report_path(settings, Nights.one(LAST_NIGHT)).exists()


def test_a_fhir_server_that_refuses_does_not_fail_the_night_and_is_caught_up_with(night: Settings) -> None:
    with fhir_server("the token") as server:
        wrong = night.model_copy(update={"fhir_url": server.url, "fhir_token": SecretStr("another")})
        assert "the next night catches up" in run(wrong).fhir
        assert server.count() == {}

        right = wrong.model_copy(update={"fhir_token": SecretStr("the token")})
        assert run(right).fhir == "2026-01-05: 2 sent, 0 unchanged on the server, 0 taken back"
        assert server.count()["Observation"] == server.count()["Flag"] == 1
