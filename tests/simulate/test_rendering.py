from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from affect_pipeline.simulate.cohort import CohortPlan, Fault, JournalPlan
from affect_pipeline.simulate.devices import DEVICES
from affect_pipeline.simulate.planning import plan_cohort
from affect_pipeline.simulate.rendering import render
from tests.simulate.voices import Tones

SOURCE = Tones()
LANDLINE = next(device for device in DEVICES if device.sample_rate_hz == 8000)
WIDEBAND = DEVICES[0]


@pytest.fixture(scope="module")
def plan() -> CohortPlan:
    return plan_cohort(SOURCE, n_patients=2, n_days=8, seed=5)


@pytest.fixture(scope="module")
def journal(plan: CohortPlan) -> JournalPlan:
    sound = next(one for one in plan.journals if one.fault is None)
    return replace(sound, device=WIDEBAND)


def level_dbfs(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.square(samples.astype(float)).mean()))


def test_a_journal_lasts_ten_to_twenty_seconds(plan: CohortPlan) -> None:
    durations_s = [render(one, SOURCE).size / one.device.sample_rate_hz for one in plan.journals]
    assert min(durations_s) >= 10
    assert max(durations_s) <= 20


def test_the_same_plan_gives_the_same_sound(journal: JournalPlan) -> None:
    assert np.array_equal(render(journal, SOURCE), render(journal, SOURCE))


def test_a_recording_has_the_level_and_the_rate_of_its_phone(journal: JournalPlan) -> None:
    for device in DEVICES:
        samples = render(replace(journal, device=device, gain_db=0.0), SOURCE)
        assert level_dbfs(samples) == pytest.approx(device.level_dbfs, abs=1.5)
        assert np.abs(samples).max() <= 1


def test_a_noisy_recording_is_noisier_than_it_was(journal: JournalPlan) -> None:
    clean, noisy = (render(one, SOURCE)[:2000] for one in (journal, journal.with_fault(Fault.NOISY)))
    assert level_dbfs(noisy) > level_dbfs(clean) + 15


def test_a_silent_recording_holds_only_the_background(journal: JournalPlan) -> None:
    assert level_dbfs(render(journal.with_fault(Fault.SILENT), SOURCE)) == pytest.approx(-70, abs=1)


def test_a_clipped_recording_stands_at_full_scale_for_more_than_a_twentieth_of_its_samples(
    journal: JournalPlan,
) -> None:
    clipped = np.abs(render(journal.with_fault(Fault.CLIPPED), SOURCE)) >= 1.0
    assert clipped.mean() > 0.05
    assert not (np.abs(render(journal, SOURCE)) >= 1.0).any()


def test_a_landline_cuts_off_what_another_phone_hears(journal: JournalPlan) -> None:
    def below_200_hz(samples: np.ndarray, rate_hz: int) -> float:
        power = np.square(np.abs(np.fft.rfft(samples)))
        return float(power[: int(200 * samples.size / rate_hz)].sum() / power.sum())

    low_and_high = SOURCE.utterances[:3] + SOURCE.utterances[-3:]
    mixed = replace(journal, utterances=low_and_high, gaps_s=(0.2,) * 6, length_s=60.0)
    wide = below_200_hz(render(mixed, SOURCE), WIDEBAND.sample_rate_hz)
    narrow = below_200_hz(render(replace(mixed, device=LANDLINE), SOURCE), 8000)
    assert narrow < 0.5 * wide
