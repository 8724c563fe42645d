"""Agreement of voice and PHQ, held against other implementations and against a truth that is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.proportion import proportion_confint

from affect_pipeline.warehouse.analyst import run_query
from affect_pipeline.warehouse.load import upsert
from tests.warehouse.rows import DAY, MODEL, alert, frame, key, monitored_day, phq

EVERY = 14
TRUE_WITHIN, TRUE_BETWEEN = 0.75, -0.3


def load(engine: sa.Engine, rows: Iterable[tuple[str, int, int, float]], alerts: Iterable[dict[str, Any]] = ()) -> None:
    """Load (patient, number of the PHQ, phq8, voice): three days of that voice before each PHQ."""
    forms, days = [], []
    for name, number, phq8, voice in rows:
        day = DAY + dt.timedelta(days=EVERY * (number + 1))
        forms.append(phq(name, day, [min(3, max(0, phq8 - 3 * place)) for place in range(8)]))
        for back in range(3):
            limits = {"statistic": 0.0, "limit_value": 2.0, "signal": False}
            shown = {"depression": voice + (back - 1) / 7, "valence": 0.25, **limits}
            days.append(monitored_day(name, local_day=day - dt.timedelta(days=back), **shown))
    with engine.begin() as connection:
        upsert(connection, "questionnaires", frame(*forms))
        upsert(connection, "monitored_days", frame(*days))
        if alerts := list(alerts):
            upsert(connection, "drift_alerts", frame(*alerts))


def simulated(n_patients: int = 40, n_forms: int = 8, seed: int = 3) -> pd.DataFrame:
    """Return patients whose voice goes with the PHQ within them, and against it between them."""
    random = np.random.default_rng(seed)
    rows = []
    for patient in range(n_patients):
        level, slope = random.normal(0, 1), TRUE_WITHIN / np.sqrt(1 - TRUE_WITHIN**2)
        tendency = TRUE_BETWEEN * level + np.sqrt(1 - TRUE_BETWEEN**2) * random.normal(0, 1)
        for number in range(n_forms):
            moved = random.normal(0, 1)
            phq8 = int(np.clip(round(12 + 2 * level + 3 * moved), 0, 24))
            rows.append((f"p{patient}", number, phq8, 3 * tendency + slope * moved + random.normal(0, 1)))
    return pd.DataFrame(rows, columns=["patient", "number", "phq8", "voice"])


@pytest.fixture(scope="module")
def known(module_warehouse: sa.Engine) -> tuple[pd.DataFrame, pd.Series[Any], sa.Engine]:
    truth = simulated()
    load(module_warehouse, truth.itertuples(index=False, name=None))
    found = run_query(module_warehouse, "measure_phq_agreement", {}).set_index("channel").loc["depression"]
    return truth, found, module_warehouse


def test_within_patients_it_is_the_correlation_of_an_analysis_of_covariance(
    known: tuple[pd.DataFrame, pd.Series[Any], sa.Engine],
) -> None:
    """Bakdash & Marusich: sqrt(SS of the measure / (that + SS of the error)), with the sign of the common slope."""
    truth, found, _ = known
    model = smf.ols("voice ~ C(patient) + phq8", truth).fit()
    table = anova_lm(model, typ=2)
    r = np.sign(model.params["phq8"]) * np.sqrt(
        table.loc["phq8", "sum_sq"] / (table.loc["phq8", "sum_sq"] + table.loc["Residual", "sum_sq"])
    )
    half = 1.96 / np.sqrt(model.df_resid - 1)

    assert (found["n_patients"], found["n_pairs"], model.df_resid) == (40, 320, 320 - 40 - 1)
    assert found["within_r"] == pytest.approx(r, abs=1e-9)
    assert [found["within_low"], found["within_high"]] == pytest.approx(
        np.tanh(np.arctanh(r) + np.array([-half, half]))
    )


def test_between_patients_it_is_the_correlation_of_their_means(
    known: tuple[pd.DataFrame, pd.Series[Any], sa.Engine],
) -> None:
    truth, found, _ = known
    means = truth.groupby("patient")[["phq8", "voice"]].mean()
    expected = stats.pearsonr(means["phq8"], means["voice"])

    assert found["between_r"] == pytest.approx(expected.statistic)
    interval = expected.confidence_interval(0.95)
    assert [found["between_low"], found["between_high"]] == pytest.approx(list(interval), abs=1e-4)


def test_the_truth_is_found_again(known: tuple[pd.DataFrame, pd.Series[Any], sa.Engine]) -> None:
    _, found, _ = known

    assert found["within_low"] < TRUE_WITHIN < found["within_high"]
    assert found["between_low"] < TRUE_BETWEEN < found["between_high"]
    assert found["auc_low"] > 0.7


def test_the_area_under_the_curve_and_its_interval_know_that_changes_come_in_patients(
    known: tuple[pd.DataFrame, pd.Series[Any], sa.Engine],
) -> None:
    """The area is Mann and Whitney's; the error is held against a bootstrap over patients."""
    truth, found, _ = known
    changes = truth.groupby("patient")[["phq8", "voice"]].diff().dropna().assign(patient=truth["patient"])
    rose = changes["phq8"] >= 5

    def area(some: pd.DataFrame) -> float:
        high, low = some.loc[some["phq8"] >= 5, "voice"], some.loc[some["phq8"] < 5, "voice"]
        return float(stats.mannwhitneyu(high, low).statistic / (len(high) * len(low)))

    random = np.random.default_rng(0)
    groups = [group for _, group in changes.groupby("patient")]
    draws = [area(pd.concat([groups[i] for i in random.integers(0, 40, 40)])) for _ in range(200)]

    assert (found["n_changes"], found["n_rises"]) == (len(changes), rose.sum())
    assert found["auc"] == pytest.approx(area(changes))
    assert (found["auc_high"] - found["auc_low"]) / (2 * 1.96) == pytest.approx(np.std(draws), rel=0.25)


def test_ties_count_half_and_one_change_a_patient_gives_the_interval_of_delong(warehouse: sa.Engine) -> None:
    moved = {"a": (6, 2.0), "b": (7, 1.0), "c": (9, 3.0), "d": (0, 1.0), "e": (1, 0.0), "f": (-1, 2.0)}
    load(
        warehouse,
        [row for name, (change, voice) in moved.items() for row in ((name, 0, 8, 0.0), (name, 1, 8 + change, voice))],
    )
    found = run_query(warehouse, "measure_phq_agreement", {}).set_index("channel").loc["depression"]
    rises, others = np.array([2.0, 1.0, 3.0]), np.array([1.0, 0.0, 2.0])
    wins = (rises[:, None] > others) + 0.5 * (rises[:, None] == others)
    se = np.sqrt(wins.mean(1).var(ddof=1) / 3 + wins.mean(0).var(ddof=1) / 3)

    assert found["auc"] == pytest.approx(wins.mean())
    assert found["auc_low"] == pytest.approx(wins.mean() - 1.96 * se)
    assert found["auc_high"] == 1.0


def test_what_does_not_vary_has_no_correlation(known: tuple[pd.DataFrame, pd.Series[Any], sa.Engine]) -> None:
    _, _, engine = known
    constant = run_query(engine, "measure_phq_agreement", {}).set_index("channel").loc["valence"]

    assert constant[["within_r", "within_low", "between_r", "between_high"]].isna().all()
    assert (constant["auc"], constant["auc_low"], constant["auc_high"]) == (0.5, 0.5, 0.5)


def test_one_patient_has_a_within_but_no_between(warehouse: sa.Engine) -> None:
    load(
        warehouse,
        [
            ("only", number, phq8, voice)
            for number, (phq8, voice) in enumerate([(3, 0.1), (9, 1.0), (6, 0.8), (12, 1.4)])
        ],
    )
    found = run_query(warehouse, "measure_phq_agreement", {}).set_index("channel").loc["depression"]

    assert found["within_r"] == pytest.approx(np.corrcoef([3, 9, 6, 12], [0.1, 1.0, 0.8, 1.4])[0, 1])
    assert found["within_low"] < found["within_r"] < found["within_high"]
    assert pd.isna(found["between_r"])
    assert pd.isna(found["auc_low"])


def test_one_answer_a_patient_says_nothing_within(warehouse: sa.Engine) -> None:
    load(warehouse, [("one", 0, 3, 0.1), ("two", 0, 6, 0.7)])
    found = run_query(warehouse, "measure_phq_agreement", {}).set_index("channel").loc["depression"]

    assert (found["within_patients"], found["n_patients"]) == (0, 2)
    assert found[["within_r", "between_low"]].isna().all()


def test_without_questionnaires_there_is_nothing_to_say(warehouse: sa.Engine) -> None:
    for name in ("measure_phq_agreement", "compare_alerts_with_phq", "list_phq_answers"):
        assert run_query(warehouse, name, {}).empty


def test_alerts_are_held_against_rises_of_five_points(warehouse: sa.Engine) -> None:
    """Two alerts, one of them with a rise; three rises, one of them with an alert, one that no chart could judge."""
    rows = [("hit", 0, 4, 0.0), ("hit", 1, 10, 1.0), ("false", 0, 4, 0.0), ("false", 1, 8, 1.0), ("miss", 0, 4, 0.0),
            ("miss", 1, 9, 0.0), ("unjudged", 0, 4, 0.0), ("unjudged", 1, 20, 0.0)]  # fmt: skip
    onset = DAY + dt.timedelta(days=EVERY + 2)
    raised = {"opened_night": onset + dt.timedelta(days=5), "onset_day": onset, "onset_low": onset, "onset_high": onset}
    load(
        warehouse, rows, [alert(name, patient_key=key(name), model_digest=MODEL, **raised) for name in ("hit", "false")]
    )
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE affect.monitored_days SET limit_value = NULL WHERE patient_key = %s", (key("unjudged"),)
        )
    found = run_query(warehouse, "compare_alerts_with_phq", {}).set_index("measure")

    for measure, n, agreed in (("precision", 2, 1), ("sensitivity", 2, 1)):
        row = found.loc[measure]
        assert (row["n"], row["n_agreed"], row["n_patients"]) == (n, agreed, n)
        expected = proportion_confint(agreed, n, method="wilson")
        assert [row["share_low"], row["share_high"]] == pytest.approx(list(expected), abs=1e-4)


def test_late_recordings_of_the_fortnight_count_and_others_do_not(warehouse: sa.Engine) -> None:
    day = DAY + dt.timedelta(days=30)
    values = {0: 1.0, 6: 2.0, 13: 3.0, 14: 100.0, -1: 100.0}
    days = [
        monitored_day("p", local_day=day - dt.timedelta(days=back), depression=value) for back, value in values.items()
    ]
    with warehouse.begin() as connection:
        upsert(connection, "questionnaires", frame(phq("p", day, [1] * 9)))
        upsert(connection, "monitored_days", frame(*days))
        pairs = connection.exec_driver_sql("SELECT voice, n_days, phq8 FROM affect.phq_voice_pairs").all()

    assert [tuple(pair) for pair in pairs] == [(2.0, 3, 8)]
