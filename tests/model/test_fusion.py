"""Face and timing beside the voice: files in the corpora's layouts, and fusion that gains only where there is news."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affect_pipeline.errors import CorpusError, DigestMismatch
from affect_pipeline.model.corpora.depression import Turn, participant_parts, read_turns
from affect_pipeline.model.depression import face, timing
from affect_pipeline.model.depression.experts import DepressionPlan, fit_expert
from affect_pipeline.model.depression.figures import Said, participant_figures, systems_of
from affect_pipeline.model.depression.fusion import Fusion, fit_fusion
from affect_pipeline.model.depression.participants import Participants
from affect_pipeline.model.encoder import AffectiveEncoder, copy_model, tiny_encoder
from tests.model.interviews import write_face, write_transcript

ALL = ("voice", "face", "timing")
PLAN = DepressionPlan(modalities=ALL, resamples=200)


def people(n: int = 240, face_tells: float = 1.2, seed: int = 0) -> Participants:
    """Return made-up participants whose voice tells a little, whose face tells more, and whose timing tells nothing."""
    rng = np.random.default_rng(seed)
    depressed = (np.arange(n) % 3 == 0).astype(float)
    phq8 = np.clip(5 + 9 * depressed + rng.normal(0, 2, n), 0, 24)
    features = {
        "voice": rng.normal(0, 1, (n, 20)) + 0.8 * depressed[:, None] * (np.arange(20) == 0),
        "face": rng.normal(0, 1, (n, 10)) + face_tells * depressed[:, None] * (np.arange(10) < 2),
        "timing": rng.normal(0, 1, (n, 7)),
    }
    split = np.array(["train", "train", "train", "dev", "test", "test"])[np.arange(n) // 3 % 6]
    return Participants(tuple(f"c/{i}" for i in range(n)), split, phq8, depressed, features)


def fused(known: Participants) -> tuple[Fusion, Participants, np.ndarray, np.ndarray]:
    """Return a fusion with the test part and what the voice says of it."""
    fitted = {name: fit_expert(known, name, PLAN) for name in ALL}
    test, expert = known.where(known.split == "test"), fitted["voice"].expert
    voice = test.features["voice"]
    return fit_fusion(known, fitted, PLAN), test, expert.logit(voice), expert.phq8(voice)


def gain(known: Participants) -> dict[str, tuple[float, float]]:
    """Return AUC and RMSE on the test part by subset."""
    fusion, test, voice, phq8 = fused(known)
    systems = {}
    for subset in systems_of(ALL):
        others = test.only(subset).features
        systems[" + ".join(subset)] = Said(
            test.depressed, test.phq8, fusion.logit(voice, others), fusion.phq8(phq8, others)
        )
    rows = participant_figures("c", "test", systems, PLAN.resamples, 7)
    return {row.system: (row.figures["auc"].value, row.figures["rmse"].value) for row in rows}


def test_a_face_that_tells_more_is_gained_from_and_timing_that_tells_nothing_is_not():
    found = gain(people())
    assert found["voice + face"][0] > found["voice"][0] + 0.08
    assert found["voice + face"][1] < found["voice"][1] - 0.2
    assert abs(found["voice + timing"][0] - found["voice"][0]) < 0.04
    assert found["voice + face + timing"][0] > found["voice"][0] + 0.08


def test_a_shuffled_face_does_not_help():
    known = people()
    shuffled = np.random.default_rng(5).permutation(known.features["face"])
    fusion, *_ = fused(replace(known, features={**known.features, "face": shuffled}))
    honest, *_ = fused(known)
    assert fusion.weights["face"] < 0.5 * honest.weights["face"]
    found = gain(replace(known, features={**known.features, "face": shuffled}))
    assert found["voice + face"][0] < found["voice"][0] + 0.04


def test_a_voice_alone_is_answered_as_the_voice_to_the_bit():
    fusion, test, voice, phq8 = fused(people())
    assert fusion.weights["face"] > 0
    for others in ({}, test.only(("voice",)).features):
        assert np.array_equal(fusion.logit(voice, others), voice)
        assert np.array_equal(fusion.phq8(phq8, others), phq8)


def test_who_has_no_face_is_judged_beside_those_who_have():
    known = people()
    gone = np.where(np.arange(len(known.who))[:, None] % 2 == 0, np.nan, known.features["face"])
    half = replace(known, features={**known.features, "face": gone})
    fusion, test, voice, _ = fused(half)
    both = fusion.logit(voice, test.features)
    missing = np.isnan(test.features["face"]).all(axis=1)
    assert missing.any()
    assert not missing.all()
    without = fusion.logit(voice, test.only(("voice", "timing")).features)
    assert np.array_equal(both[missing], without[missing])
    assert not np.isclose(both[~missing], without[~missing]).all()
    assert np.isfinite(both).all()


def test_a_fusion_is_read_as_it_was_written_and_a_model_loads_without_it(tmp_path: Path):
    fusion, test, voice, _ = fused(people())
    model = tiny_encoder()
    model.affect = replace(model.affect, training={"depression": {"fusion": fusion.digest()}})
    model.save(tmp_path / "model")
    assert Fusion.load(tmp_path / "model") is None
    (tmp_path / "model" / "fusion.json").write_text(fusion.text())
    copy_model(tmp_path / "model", tmp_path / "copy")
    again = Fusion.load(tmp_path / "copy")
    assert again is not None
    assert np.array_equal(again.logit(voice, test.features), fusion.logit(voice, test.features))
    assert AffectiveEncoder.load(tmp_path / "copy").affect.training["depression"]["fusion"] == again.digest()
    changed = json.loads(fusion.text())
    changed["weights"]["face"] = 0.0
    (tmp_path / "copy" / "fusion.json").write_text(json.dumps(changed))
    with pytest.raises(DigestMismatch, match="changed or damaged"):
        Fusion.load(tmp_path / "copy")


@pytest.mark.parametrize("layout", ["daic-woz", "e-daic"])
def test_openface_files_of_both_corpora_give_the_same_measures(tmp_path: Path, layout: str):
    session = tmp_path / "302_P"
    session.mkdir()
    write_face(session, "302", 1.0, layout, seed=3)
    found = dict(zip(face.NAMES, face.face_features(session, "302"), strict=True))
    assert not np.isnan(list(found.values())).any()
    assert found["AU04 mean"] == pytest.approx(0.98, abs=0.05)  # frames that were lost say 99
    assert found["head pitch mean"] == pytest.approx(0.1, abs=0.04)
    assert found["gaze down mean"] == pytest.approx(0.105, abs=0.04)


def test_few_or_unsure_frames_are_no_face(tmp_path: Path):
    write_face(tmp_path, "302", 1.0, "daic-woz", seed=3, n_frames=20)
    assert np.isnan(face.face_features(tmp_path, "302")).all()
    assert np.isnan(face.face_features(tmp_path, "999")).all()
    write_face(tmp_path, "303", 1.0, "daic-woz", seed=3)
    for path in tmp_path.glob("303_*"):
        path.write_text(path.read_text().replace("0.97", "0.5"))
    assert np.isnan(face.face_features(tmp_path, "303")).all()


def turns(latency: float = 0.4, ellie: float = 2.0, answer: float = 3.0, n: int = 5) -> list[Turn]:
    found, now = [], 0.0
    for _ in range(n):
        found.append(Turn(now, now + ellie, False))
        now += ellie + latency
        for _ in range(2):
            found.append(Turn(now, now + answer, True))
            now += answer + 0.8
    return found


def test_timing_is_the_participants_and_none_of_the_interviewers():
    found = dict(zip(timing.NAMES, timing.timing_features(turns()), strict=True))
    assert found["turn length"] == pytest.approx(np.log(3.0))
    assert found["latency"] == pytest.approx(np.log(0.4))
    assert found["pause"] == pytest.approx(np.log(0.8))
    assert found["speech share"] == pytest.approx(30 / (30 + 5 * 0.4 + 5 * 0.8))
    for other in (turns(ellie=9.0), turns(n=50)):  # she asks at length, or often
        np.testing.assert_allclose(timing.timing_features(other), list(found.values()), atol=1e-9)
    alone = timing.timing_features([turn for turn in turns() if turn.of_participant])
    assert np.isnan(alone).tolist() == [name not in ("turn length", "turn length spread", "short turns")
                                        for name in timing.NAMES]  # fmt: skip


def test_where_both_speak_neither_is_heard(tmp_path: Path):
    spoken = [(1.0, 4.0, "Ellie"), (3.0, 9.0, "Participant"), (5.0, 6.0, "Ellie"), (20.0, 21.0, "Participant")]
    write_transcript(tmp_path, "302", spoken, "daic-woz")
    assert participant_parts(read_turns(tmp_path, "302")) == ((4.0, 5.0), (6.0, 9.0), (20.0, 21.0))


def test_known_faults_of_transcripts_are_mended(tmp_path: Path):
    write_transcript(tmp_path, "318", [(1.0, 2.0, "Participant")], "daic-woz")
    assert read_turns(tmp_path, "318")[0].start_s == pytest.approx(35.319917)
    spoken = [(10.0, 12.0, "Participant"), (400.0, 402.0, "Participant"), (500.0, 501.0, "Participant")]
    write_transcript(tmp_path, "373", spoken, "daic-woz")
    assert [turn.start_s for turn in read_turns(tmp_path, "373")] == [10.0, 500.0]


def test_a_modality_that_nobody_has_is_refused_by_name():
    known = people()
    nobody = replace(known, features={**known.features, "face": np.full_like(known.features["face"], np.nan)})
    with pytest.raises(CorpusError, match=r"train has no face .* 0 of"):
        fit_expert(nobody, "face", PLAN)
