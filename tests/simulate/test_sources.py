from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from affect_pipeline.acoustics.biomarkers import Biomarkers
from affect_pipeline.acoustics.measure import measure_audio
from affect_pipeline.errors import CorpusError
from affect_pipeline.journals.decode import DecodedAudio
from affect_pipeline.simulate.moods import Mood
from affect_pipeline.simulate.sources import (
    SOURCE_RATE_HZ,
    RecordedVoices,
    change_speakers,
    corpus_voices,
    packaged_voices,
    trim_edges,
)

MAX_BANK_BYTES = 8_000_000


@pytest.fixture(scope="module")
def bank() -> RecordedVoices:
    return packaged_voices()


def test_the_bank_is_small_and_has_a_dozen_voices_that_can_all_change(bank: RecordedVoices) -> None:
    files = {utterance.path for utterance in bank.utterances}
    assert sum(path.stat().st_size for path in files) <= MAX_BANK_BYTES
    assert len(bank.speakers) == 12
    assert change_speakers(bank.utterances) == set(bank.speakers)
    assert {speaker.sex for speaker in bank.speakers.values()} == {"f", "m"}


@pytest.mark.parametrize("voice", ["ash", "birch"])
def test_the_banks_low_mood_is_flat_slow_and_full_of_pauses(bank: RecordedVoices, voice: str) -> None:
    def heard(*moods: Mood) -> Biomarkers:
        silence = np.zeros(SOURCE_RATE_HZ // 5, np.float32)
        said = [one for one in bank.utterances if one.speaker == voice and one.mood in moods]
        samples = np.concatenate([part for one in said for part in (bank.load(one), silence)])
        audio = DecodedAudio(samples=samples, sample_rate_hz=SOURCE_RATE_HZ, n_channels=1, format="wav")
        return measure_audio(audio).biomarkers

    def mean_duration_s(mood: Mood) -> float:
        said = [bank.load(one).size for one in bank.utterances if one.speaker == voice and one.mood is mood]
        return float(np.mean(said)) / SOURCE_RATE_HZ

    low, plain = heard(Mood.SAD), heard(Mood.NEUTRAL)
    assert low.f0_sd_st < 0.75 * plain.f0_sd_st
    assert low.pause_mean_s > 1.15 * plain.pause_mean_s
    assert low.pause_rate_per_min > 1.15 * plain.pause_rate_per_min
    assert mean_duration_s(Mood.SAD) > 1.3 * mean_duration_s(Mood.NEUTRAL)  # of the same sentences


def test_silence_at_the_edges_is_cut_and_inside_is_kept() -> None:
    silence, tone = np.zeros(SOURCE_RATE_HZ, np.float32), np.full(SOURCE_RATE_HZ, 0.1, np.float32)
    trimmed = trim_edges(np.concatenate([silence, tone, silence, tone, silence]))
    assert trimmed.size / SOURCE_RATE_HZ == pytest.approx(3.16, abs=0.05)


def write_corpus(folder: Path, labels: dict[str, list[str]]) -> Path:
    rows = []
    for speaker, words in labels.items():
        for number, word in enumerate(words):
            soundfile.write(folder / f"{speaker}-{number}.flac", np.full(44_100, 0.1 * (number + 1)), 44_100)
            rows.append({"path": f"{speaker}-{number}.flac", "speaker": speaker, "label": word, "duration_s": 1.0})
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_corpus_is_read_by_the_words_of_its_labels(tmp_path: Path) -> None:
    source = corpus_voices(write_corpus(tmp_path, {"a": ["Neutral", "sadness", "boredom"], "b": ["calm", "anger"]}))
    assert [(one.speaker, one.mood) for one in source.utterances] == [
        ("a", Mood.NEUTRAL),
        ("a", Mood.SAD),
        ("b", Mood.CALM),
        ("b", Mood.ANGRY),
    ]
    assert change_speakers(source.utterances) == {"a"}
    assert source.load(source.utterances[1]).size == pytest.approx(SOURCE_RATE_HZ, rel=0.01)
    assert source.load(source.utterances[1]).mean() == pytest.approx(0.2, abs=0.01)


def test_a_corpus_in_which_nobody_is_sad_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="both neutral or calm and sad speech; its moods are: calm, happy"):
        corpus_voices(write_corpus(tmp_path, {"a": ["calm", "happiness"]}))


def test_a_broken_recording_is_named(tmp_path: Path) -> None:
    source = corpus_voices(write_corpus(tmp_path, {"a": ["neutral", "sad"]}))
    (tmp_path / "a-0.flac").write_bytes(b"nothing")
    with pytest.raises(CorpusError, match=r"a-0\.flac cannot be read"):
        source.load(source.utterances[0])
