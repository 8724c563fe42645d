"""Who may see and do what: every role against every table, and people against one another's patients."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa

from affect_pipeline.errors import AccessDenied
from affect_pipeline.monitoring.store import SIDES
from affect_pipeline.warehouse.access import as_person
from affect_pipeline.warehouse.load import upsert
from tests.warehouse.rows import DAY, MODEL, alert, biomarkers, digest, frame, journal, key, patient, score

ROLES = ("affect_pipeline", "affect_analyst", "affect_counselor", "affect_admin")
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")

# What pipeline, analyst, counselor and admin may do with each table: Select, Insert, Update, Delete. Small letters:
# with some columns only. A new table has to be added here, with a thought about who needs it.
MATRIX = {
    "access_tokens": ("SIUD", "", "", ""),
    "alert_actions": ("SI", "s", "Si", "Si"),
    "alert_events": ("SIUD", "S", "S", "S"),
    "audit_events": ("S", "", "", "S"),
    "audio_quality": ("SIUD", "S", "S", "S"),
    "baselines": ("SIUD", "S", "S", "S"),
    "biomarkers": ("SIUD", "S", "S", "S"),
    "care_assignments": ("SID", "S", "S", "SiD"),
    "chart_state": ("SIUD", "", "", ""),
    "cohort_profiles": ("SIUD", "", "", ""),
    "deliveries": ("SIUD", "S", "", "S"),
    "drift_alerts": ("SIUD", "S", "S", "S"),
    "erasures": ("SIU", "", "", ""),
    "fhir_deliveries": ("SIUD", "", "", ""),
    "fhir_progress": ("SIUD", "", "", ""),
    "journals": ("SIUD", "S", "S", "S"),
    "known_changes": ("SI", "s", "Si", "Si"),
    "model_versions": ("SIUD", "S", "S", "S"),
    "monitor_progress": ("SIUD", "", "", ""),
    "monitored_days": ("SIUD", "S", "S", "S"),
    "nights": ("SIUD", "S", "S", "S"),
    "notifications": ("SI", "", "", ""),
    "omop_persons": ("S", "S", "S", "S"),
    "patients": ("SIUD", "S", "S", "S"),
    "people": ("SIU", "s", "S", "SIUD"),
    "population_comparisons": ("SIUD", "S", "S", "S"),
    "population_notices": ("SI", "", "", ""),
    "privacy_budgets": ("SI", "S", "", "S"),
    "privacy_releases": ("SI", "S", "", "S"),
    "quality_checks": ("SIUD", "S", "S", "S"),
    "quarantine_releases": ("SI", "S", "S", "Si"),
    "questionnaires": ("SIUD", "S", "S", "S"),
    "released_trends": ("SI", "S", "", "S"),
    "runs": ("SIU", "S", "S", "S"),
    "schema_migrations": ("S", "", "", "S"),
    "scores": ("SIUD", "S", "S", "S"),
    "voice_keys": ("SIUD", "", "", ""),
}
PER_PATIENT = ("patients", "journals", "scores", "biomarkers", "drift_alerts", "audio_quality")
EVERYBODY = ("ann", "rob", "liz", "ada", "max")


@pytest.fixture(scope="module")
def cared_for(module_warehouse: sa.Engine) -> sa.Engine:
    """Three patients: one in the north, one in the south, and one in the west who is assigned to Liz."""
    with module_warehouse.begin() as connection:
        for clinic in ("north", "south", "west"):
            whose = {"patient_key": key(clinic)}
            upsert(connection, "patients", frame(patient(clinic, clinic=clinic)))
            upsert(connection, "journals", frame(journal(clinic, clinic=clinic, **whose)))
            upsert(connection, "scores", frame(score(clinic, **whose)))
            upsert(connection, "biomarkers", frame(biomarkers(clinic, **whose)))
            upsert(connection, "drift_alerts", frame(alert(clinic, **whose)))
            quality = dict.fromkeys(
                ("duration_s", "speech_s", "speech_ratio", "silence_ratio", "snr_db", "clipping_ratio", "level_dbfs",
                 "loudness_lufs", "bandwidth_hz", "dc_offset", "sample_rate_hz", "n_channels"), 1.0,
            )  # fmt: skip
            upsert(connection, "audio_quality", frame({"journal_id": digest(clinic)} | quality))
        connection.exec_driver_sql(
            "INSERT INTO affect.people (login, display_name, role, clinics, sees, active) VALUES "
            "('ann', 'Ann', 'counselor', '{north}', 'clinic', true), "
            "('rob', 'Rob', 'counselor', '{south}', 'clinic', true), "
            "('liz', 'Liz', 'counselor', '{north}', 'assigned', true), "
            "('ada', 'Ada', 'analyst', '{}', 'clinic', true), "
            "('max', 'Max', 'admin', '{}', 'clinic', true), "
            "('old', 'Old', 'counselor', '{north}', 'clinic', false)"
        )
        connection.exec_driver_sql(
            "INSERT INTO affect.care_assignments (login, patient_key, assigned_by) VALUES (%s, %s, %s)",
            ("liz", key("west"), "max"),
        )
    return module_warehouse


def allowed(connection: sa.Connection, role: str, table: str) -> str:
    letters = ""
    for verb in VERBS:
        whole = connection.exec_driver_sql("SELECT has_table_privilege(%s, %s, %s)", (role, table, verb)).scalar_one()
        some = (
            verb in ("SELECT", "INSERT", "UPDATE")
            and connection.exec_driver_sql(
                "SELECT has_any_column_privilege(%s, %s, %s)", (role, table, verb)
            ).scalar_one()
        )
        letters += verb[0] if whole else verb[0].lower() if some else ""
    return letters


def test_every_role_has_the_rights_the_matrix_says_and_no_others(cared_for: sa.Engine) -> None:
    with cared_for.connect() as connection:
        tables = connection.exec_driver_sql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'affect'::regnamespace AND relkind IN ('r', 'p') "
            "AND NOT relispartition"
        ).scalars()
        found = {name: tuple(allowed(connection, role, f"affect.{name}") for role in ROLES) for name in tables}
    assert found == MATRIX


def test_partitions_and_secrets_are_open_to_nobody_but_states_to_the_pipeline(cared_for: sa.Engine) -> None:
    with cared_for.connect() as connection:
        closed = connection.exec_driver_sql(
            "SELECT oid::regclass::text FROM pg_class WHERE relispartition AND relkind = 'r' "
            "OR relnamespace = 'affect_private'::regnamespace AND relkind = 'r'"
        ).scalars().all()  # fmt: skip
        assert {"scores_2026_01", "affect_private.session_secrets"} <= set(closed)
        open_to = {(role, table): allowed(connection, role, table) for role in ROLES for table in closed}
    sides = {("affect_pipeline", f"chart_state_{side}"): "SIT" for side in SIDES}  # read, filled and emptied by name
    assert {key: verbs for key, verbs in open_to.items() if verbs} == sides


def test_web_logins_are_members_of_one_role_only(cared_for: sa.Engine) -> None:
    with cared_for.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT w.rolname, g.rolname FROM pg_roles AS w CROSS JOIN pg_roles AS g "
            "WHERE w.rolname LIKE 'affect_web_%%' AND w.oid <> g.oid AND pg_has_role(w.oid, g.oid, 'MEMBER')"
        ).all()
    assert sorted(tuple(row) for row in rows) == [
        ("affect_web_admin", "affect_admin"),
        ("affect_web_analyst", "affect_analyst"),
        ("affect_web_counselor", "affect_counselor"),
    ]


@pytest.mark.parametrize("table", PER_PATIENT)
def test_people_see_their_own_patients(cared_for: sa.Engine, table: str) -> None:
    seen = {}
    for login in EVERYBODY:
        with as_person(cared_for, login) as connection:
            seen[login] = connection.exec_driver_sql(f"SELECT count(*) FROM affect.{table}").scalar_one()
    assert seen == {"ann": 1, "rob": 1, "liz": 1, "ada": 3, "max": 3}


def test_assigned_patients_are_seen_whatever_the_clinic(cared_for: sa.Engine) -> None:
    with as_person(cared_for, "liz") as connection:
        assert connection.exec_driver_sql("SELECT patient_key FROM affect.scores").scalars().all() == [key("west")]


@pytest.mark.parametrize("login", ["nobody", "old", "' OR true --", ""])
def test_who_is_not_an_active_person_gets_no_session(cared_for: sa.Engine, login: str) -> None:
    with pytest.raises(AccessDenied), as_person(cared_for, login):
        pass


@pytest.mark.parametrize(
    "attack",
    [
        "SET ROLE postgres",
        "SET ROLE affect_pipeline",
        "SET ROLE affect_analyst",
        "SET ROLE affect_web_admin",
        "SET SESSION AUTHORIZATION postgres",
        "SET row_security = off; SELECT count(*) FROM affect.scores",
        "SELECT * FROM affect_private.session_secrets",
        "SELECT affect_private.sign('max|9999999999')",
        "SELECT * FROM affect_private.open_session('max', 1000)",
        "SELECT count(*) FROM affect.scores_2026_01",
        "ALTER TABLE affect.scores DISABLE ROW LEVEL SECURITY",
        "UPDATE affect.people SET clinics = '{north,south}'",
        "INSERT INTO affect.care_assignments (login, patient_key, assigned_by) VALUES ('ann', 'x', 'ann')",
        "INSERT INTO affect.alert_actions (alert_id, actor, kind, at) VALUES ('x', 'ann', 'resolved', '2020-01-01')",
        "DELETE FROM affect.alert_actions",
        "CREATE TABLE affect.mine (x int)",
        "CREATE FUNCTION affect.current_login() RETURNS text LANGUAGE sql AS 'select 1'",
        "COPY affect.scores TO PROGRAM 'cat'",
    ],
)
def test_sql_in_a_counselors_session_cannot_reach_further(cared_for: sa.Engine, attack: str) -> None:
    with pytest.raises(sa.exc.DBAPIError) as refused, as_person(cared_for, "ann") as connection:
        connection.exec_driver_sql(attack)
    assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege | psycopg.errors.DuplicateFunction)


@pytest.mark.parametrize(
    "forged",
    ["rob", "rob|9999999999", "rob|9999999999|" + "0" * 64, "{login}|{expiry}9|{signature}", "rob|{expiry}|{signature}",
     "{login}|0|{signature}", "|||", "", "postgres"],
)  # fmt: skip
def test_a_forged_identity_sees_nothing(cared_for: sa.Engine, forged: str) -> None:
    with as_person(cared_for, "ann") as connection:
        token = connection.exec_driver_sql("SELECT current_setting('affect.session')").scalar_one()
        login, expiry, signature = token.split("|")
        forged = forged.format(login=login, expiry=expiry, signature=signature)
        connection.exec_driver_sql("SELECT set_config('affect.session', %s, true)", (forged,))
        assert connection.exec_driver_sql("SELECT count(*) FROM affect.scores").scalar_one() == 0
        assert connection.exec_driver_sql("SELECT affect.current_login()").scalar_one() is None


def test_an_expired_session_sees_nothing(cared_for: sa.Engine) -> None:
    with cared_for.connect() as connection:
        expired = connection.exec_driver_sql("SELECT token FROM affect_private.open_session('ann', -10)").scalar_one()
    with as_person(cared_for, "ann") as connection:
        connection.exec_driver_sql("SELECT set_config('affect.session', %s, true)", (expired,))
        assert connection.exec_driver_sql("SELECT count(*) FROM affect.scores").scalar_one() == 0


def test_the_identity_ends_with_its_transaction(cared_for: sa.Engine) -> None:
    with as_person(cared_for, "ann") as connection:
        connection.exec_driver_sql("COMMIT")
        assert connection.exec_driver_sql("SELECT count(*) FROM affect.scores").scalar_one() == 0


def test_people_act_on_their_patients_in_their_own_name(cared_for: sa.Engine) -> None:
    act = "INSERT INTO affect.alert_actions (alert_id, actor, kind) VALUES (%s, %s, 'acknowledged')"
    with as_person(cared_for, "ann") as connection:
        connection.exec_driver_sql(act, (key("north"), "ann"))
    for alert_id, actor in ((key("north"), "rob"), (key("south"), "ann")):
        with (
            pytest.raises(sa.exc.ProgrammingError, match="row-level security"),
            as_person(cared_for, "ann") as connection,
        ):
            connection.exec_driver_sql(act, (alert_id, actor))
    seen = {}
    for login in ("ann", "rob", "max"):
        with as_person(cared_for, login) as connection:
            seen[login] = connection.exec_driver_sql("SELECT actor FROM affect.alert_actions").scalars().all()
    assert seen == {"ann": ["ann"], "rob": [], "max": ["ann"]}


def test_analysts_do_not_read_what_people_wrote(cared_for: sa.Engine) -> None:
    with as_person(cared_for, "ada") as connection:
        connection.exec_driver_sql("SELECT kind, at FROM affect.alert_actions")
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            connection.exec_driver_sql("SELECT comment FROM affect.alert_actions")


def test_counselors_see_colleagues_of_their_clinics(cared_for: sa.Engine) -> None:
    with as_person(cared_for, "ann") as connection:
        assert connection.exec_driver_sql("SELECT login FROM affect.people ORDER BY 1").scalars().all() == [
            "ann",
            "liz",
            "old",
        ]


def test_a_login_of_ones_own_sees_what_the_person_may_see(cared_for: sa.Engine) -> None:
    with cared_for.connect() as connection:
        connection.exec_driver_sql("CREATE ROLE rob LOGIN IN ROLE affect_counselor")
        connection.commit()
        try:
            connection.exec_driver_sql("SET SESSION AUTHORIZATION rob")
            assert connection.exec_driver_sql("SELECT patient_key FROM affect.scores").scalars().all() == [key("south")]
        finally:
            connection.rollback()
            connection.exec_driver_sql("DROP ROLE rob")
            connection.commit()


def test_the_pipeline_role_is_enough_for_the_pipeline(warehouse: sa.Engine) -> None:
    with warehouse.connect() as connection:
        connection.exec_driver_sql("SET ROLE affect_pipeline")
        upsert(connection, "journals", frame(journal()))
        upsert(connection, "scores", frame(score()))
        upsert(connection, "drift_alerts", frame(alert()))
        assert connection.exec_driver_sql("SELECT model_digest FROM affect.scores").scalars().all() == [MODEL]
        connection.exec_driver_sql("SELECT affect.ensure_month_partitions('scores', ARRAY['2031-05-01'::date])")
        assert DAY.isoformat() in connection.exec_driver_sql("SELECT local_day::text FROM affect.scores").scalars()


def test_web_logins_get_their_password_when_it_is_needed(cared_for: sa.Engine) -> None:
    with cared_for.begin() as connection:
        connection.exec_driver_sql("SELECT affect_private.reset_web_passwords()")
        stored = connection.exec_driver_sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'affect_web_admin'")
        assert str(stored.scalar_one()).startswith("SCRAM-SHA-256$")
