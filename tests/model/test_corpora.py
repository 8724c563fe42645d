"""Readers find every recording of a corpus in the layout that its authors distribute."""

from __future__ import annotations

from pathlib import Path

import pytest

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora import read_corpus
from tests.model.voices import touch_wav


def only(folder: Path, layout: str | None = None):
    recordings = read_corpus(folder, layout)
    assert len(recordings) == 1
    return recordings[0]


def test_ravdess_tells_emotion_actor_and_sex(tmp_path: Path):
    touch_wav(tmp_path / "Actor_12" / "03-01-04-01-02-01-12.wav")
    touch_wav(tmp_path / "Actor_12" / "03-02-04-01-02-01-12.wav")  # a song
    found = only(tmp_path)
    assert (found.corpus, found.emotion, found.speaker, found.sex, found.language) == (
        "ravdess",
        "sad",
        "12",
        "f",
        "en",
    )


def test_emodb_tells_speaker_and_age_and_leaves_boredom_without_emotion(tmp_path: Path):
    touch_wav(tmp_path / "wav" / "03a01Ta.wav")
    touch_wav(tmp_path / "wav" / "16a02Lb.wav")
    sad, bored = read_corpus(tmp_path)
    assert (sad.emotion, sad.speaker, sad.sex, sad.age, sad.language) == ("sad", "03", "m", 31, "de")
    assert bored.emotion is None


def test_crema_d_joins_the_demographics(tmp_path: Path):
    touch_wav(tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    (tmp_path / "VideoDemographics.csv").write_text("ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,X,Y\n")
    found = only(tmp_path)
    assert (found.emotion, found.speaker, found.sex, found.age) == ("angry", "1001", "m", 51)


def test_tess_takes_the_last_word_of_the_name(tmp_path: Path):
    touch_wav(tmp_path / "OAF_Pleasant_surprise" / "OAF_back_ps.wav")
    found = only(tmp_path)
    assert (found.emotion, found.speaker, found.age) == ("surprised", "OAF", 64)


def test_nemo_reads_the_table(tmp_path: Path):
    touch_wav(tmp_path / "samples" / "SJB_sadness_3.wav")
    columns = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"
    (tmp_path / "data.tsv").write_text(f"{columns}\nSJB_sadness_3.wav\tsadness\tA\ta\tSJB\tfemale\t29\n")
    found = only(tmp_path)
    assert (found.emotion, found.speaker, found.sex, found.age, found.language) == ("sad", "SJB", "f", 29, "pl")


def test_nemo_says_which_file_is_missing(tmp_path: Path):
    (tmp_path / "data.tsv").write_text("file_id\temotion\tspeaker_id\tgender\tage\ngone.wav\tsadness\tSJB\tf\t29\n")
    with pytest.raises(CorpusError, match=r"gone\.wav"):
        read_corpus(tmp_path)


def test_emospeech_makes_each_recording_of_the_unknown_user_a_speaker_of_its_own(tmp_path: Path):
    for stamp in ("1563203125896", "1563203125897"):
        touch_wav(tmp_path / f"help-safe-fearful-{stamp}-d14a028c2a3a2bc94760.wav")
    touch_wav(tmp_path / "help-safe-calm-1563203125898-00da85638119a5f9.wav")
    recordings = read_corpus(tmp_path)
    assert sorted(r.emotion or "" for r in recordings) == ["calm", "fearful", "fearful"]
    assert len({r.speaker for r in recordings}) == 3


def test_iemocap_joins_labels_and_ratings(tmp_path: Path):
    session = tmp_path / "Session1"
    touch_wav(session / "sentences" / "wav" / "Ses01F_impro01" / "Ses01F_impro01_M003.wav")
    labels = session / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text(
        "% [START_TIME - END_TIME] ...\n\n[6.29 - 8.23]\tSes01F_impro01_M003\texc\t[4.5000, 3.0000, 2.5]\n"
    )
    found = only(tmp_path)
    assert (found.emotion, found.speaker, found.sex) == ("happy", "Ses01M", "m")
    assert (found.valence, found.arousal) == (0.75, 0.0)


def daic(folder: Path, number: str, transcript: str, text: str) -> None:
    touch_wav(folder / f"{number}_P" / f"{number}_AUDIO.wav")
    (folder / f"{number}_P" / f"{number}_{transcript}.csv").write_text(text)


def test_daic_woz_cuts_to_the_participant_and_keeps_the_official_split(tmp_path: Path):
    turns = "start_time\tstop_time\tspeaker\tvalue\n1.0\t2.0\tEllie\thi\n2.5\t4.0\tParticipant\thello\n"
    for number in ("300", "301"):
        daic(tmp_path, number, "TRANSCRIPT", turns)
    train = "Participant_ID,PHQ8_Binary,PHQ8_Score,Gender\n300,1,14,0\n"
    (tmp_path / "train_split_Depression_AVEC2017.csv").write_text(train)
    (tmp_path / "full_test_split.csv").write_text("Participant_ID,PHQ_Binary,PHQ_Score,Gender\n301,0,3,1\n")
    first, second = read_corpus(tmp_path)
    assert (first.depressed, first.phq8, first.split, first.sex) == (True, 14, "train", "f")
    assert first.parts_s == ((2.5, 4.0),)
    assert (second.depressed, second.split) == (False, "test")


def test_e_daic_takes_every_turn_of_its_transcript(tmp_path: Path):
    daic(tmp_path, "600", "Transcript", "Start_Time,End_Time,Text,Confidence\n1.0,2.0,hi,0.9\n3.0,3.0,,0.1\n")
    header = "Participant_ID,Gender,PHQ_Binary,PHQ_Score,PCL-C (PTSD),PTSD Severity\n"
    (tmp_path / "dev_split.csv").write_text(f"{header}600,female,0,9,0,20\n")
    found = only(tmp_path)
    assert (found.corpus, found.split, found.depressed, found.parts_s) == ("e-daic", "dev", False, ((1.0, 2.0),))


def test_an_interview_without_its_audio_is_named(tmp_path: Path):
    daic(tmp_path, "600", "Transcript", "Start_Time,End_Time,Text,Confidence\n1.0,2.0,hi,0.9\n")
    (tmp_path / "600_P" / "600_AUDIO.wav").unlink()
    (tmp_path / "dev_split.csv").write_text("Participant_ID,Gender,PHQ_Binary,PHQ_Score\n600,female,0,9\n")
    with pytest.raises(CorpusError, match="600"):
        read_corpus(tmp_path)


def test_a_manifest_may_tell_language_sex_and_age(tmp_path: Path):
    touch_wav(tmp_path / "a.wav")
    (tmp_path / "manifest.csv").write_text("path,speaker,label,language,sex,age\na.wav,x,Sadness,pl,f,44\n")
    found = read_corpus(tmp_path, name="mine")[0]
    assert (found.corpus, found.emotion, found.language, found.sex, found.age) == ("mine", "sad", "pl", "f", 44)


@pytest.mark.parametrize(
    ("name", "speaker", "sex", "age_band"),
    [("emodb", "03", "m", "30-39"), ("emodb", "09", "f", "20-29"), ("ravdess", "Actor_12", "f", None)],
)
def test_a_manifest_of_a_documented_corpus_needs_no_sex_and_age(
    tmp_path: Path, name: str, speaker: str, sex: str, age_band: str | None
):
    touch_wav(tmp_path / name / "a.wav")
    (tmp_path / name / "manifest.csv").write_text(f"path,speaker,label\na.wav,{speaker},sad\n")
    found = only(tmp_path / name)
    assert (found.sex, found.age_band) == (sex, age_band)


def test_a_manifest_without_speakers_is_refused(tmp_path: Path):
    (tmp_path / "manifest.csv").write_text("path,label\na.wav,sad\n")
    with pytest.raises(CorpusError, match="speaker"):
        read_corpus(tmp_path)


def test_a_manifest_that_names_a_missing_file_is_refused(tmp_path: Path):
    (tmp_path / "manifest.csv").write_text("path,speaker,label\na.wav,x,sad\n")
    with pytest.raises(CorpusError, match=r"a\.wav"):
        read_corpus(tmp_path)


@pytest.mark.parametrize("layout", [None, "ravdess", "no-such-layout"])
def test_a_folder_without_recordings_is_refused(tmp_path: Path, layout: str | None):
    with pytest.raises(CorpusError):
        read_corpus(tmp_path, layout)
