"""Voices at rest: unreadable without the patient's key, whole or refused, and gone with the key."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from affect_pipeline.errors import JournalError, SettingsError
from affect_pipeline.files import write_arrow
from affect_pipeline.journals.store import RawStore
from affect_pipeline.privacy.encryption import CHUNK_BYTES, HEADER_BYTES, VoiceKeys, is_encrypted, seal_samples
from affect_pipeline.privacy.encryption import open_samples as opened
from affect_pipeline.privacy.sealing import SealingResult, seal_collected
from affect_pipeline.settings import Settings
from affect_pipeline.stages.measure import prepared_schema
from affect_pipeline.warehouse.load import upsert
from tests.warehouse.rows import frame, journal, key

ANN, BOB = key("ann"), key("bob")
RECORDING = b"RIFF" + bytes(range(256)) * 20


@pytest.fixture
def encrypting(warehouse_settings: Settings, warehouse: sa.Engine) -> Settings:
    return warehouse_settings.model_copy(update={"encrypt_audio": True})


def put(settings: Settings, content: bytes = RECORDING, patient_key: str = ANN) -> tuple[str, Path]:
    store = RawStore.of(settings)
    journal_id = store.put(io.BytesIO(content), 10**8, patient_key).journal_id
    return journal_id, store.path(journal_id)


def reason(settings: Settings, journal_id: str) -> str:
    with pytest.raises(JournalError) as caught:
        RawStore.of(settings).read(journal_id)
    return caught.value.reason


@pytest.mark.parametrize("n_bytes", [1, 1000, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_recording_comes_back_and_its_file_says_nothing(encrypting: Settings, n_bytes: int) -> None:
    content = (RECORDING * (n_bytes // len(RECORDING) + 1))[:n_bytes]
    journal_id, path = put(encrypting, content)

    assert RawStore.of(encrypting).read(journal_id) == content
    assert is_encrypted(path.read_bytes())
    assert n_bytes < 100 or content[:100] not in path.read_bytes()


def test_turning_encryption_off_leaves_old_recordings_readable(encrypting: Settings) -> None:
    journal_id, _ = put(encrypting)
    plain_id, plain = put(encrypting.model_copy(update={"encrypt_audio": False}), b"plain")

    for settings in (encrypting, encrypting.model_copy(update={"encrypt_audio": False})):
        assert RawStore.of(settings).read(journal_id) == RECORDING
        assert RawStore.of(settings).read(plain_id) == plain.read_bytes() == b"plain"


def test_each_patient_has_a_key_of_their_own_and_keeps_it(encrypting: Settings) -> None:
    first, again, other = (VoiceKeys(encrypting).of_patient(patient) for patient in (ANN, ANN, BOB))

    assert first == again
    assert first.secret != other.secret
    assert first.secret.hex() not in repr(first)


def test_erasing_a_patients_key_erases_the_voice_and_nobody_elses(encrypting: Settings, warehouse: sa.Engine) -> None:
    mine, _ = put(encrypting, b"ann's voice" * 100, ANN)
    others, _ = put(encrypting, b"bob's voice" * 100, BOB)

    with warehouse.begin() as connection:
        connection.exec_driver_sql("DELETE FROM affect.voice_keys WHERE patient_key = %s", (ANN,))

    assert reason(encrypting, mine) == "voice_erased"
    assert RawStore.of(encrypting).read(others) == b"bob's voice" * 100


@pytest.mark.parametrize("damage", ["flip", "cut", "cut at a chunk", "swap chunks", "swap files"])
def test_a_file_that_was_changed_is_refused(encrypting: Settings, damage: str) -> None:
    journal_id, path = put(encrypting, RECORDING * 500)
    _, other = put(encrypting, b"another recording" * 100_000)
    content = bytearray(path.read_bytes())
    sealed = CHUNK_BYTES + 16
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[-100:]
    elif damage == "cut at a chunk":
        del content[HEADER_BYTES + sealed :]
    elif damage == "swap chunks":
        first, second = content[HEADER_BYTES : HEADER_BYTES + sealed], content[HEADER_BYTES + sealed :][:sealed]
        content[HEADER_BYTES : HEADER_BYTES + 2 * sealed] = second + first
    else:
        content = bytearray(other.read_bytes())
    path.write_bytes(content)

    assert reason(encrypting, journal_id) == "tampered"


def test_another_master_key_opens_nothing_and_says_so(encrypting: Settings) -> None:
    journal_id, _ = put(encrypting)
    wrong = encrypting.model_copy(update={"encryption_key": SecretStr("another master key of this test")})

    with pytest.raises(SettingsError, match="AFFECT_ENCRYPTION_KEY"):
        RawStore.of(wrong).read(journal_id)


def test_prepared_audio_is_sealed_the_same_each_time_and_bound_to_its_journal(encrypting: Settings) -> None:
    keys = VoiceKeys(encrypting)
    samples = np.arange(1000, dtype=np.int16)
    sealed = seal_samples(samples, "one", keys.of_patient(ANN))

    assert seal_samples(samples, "one", keys.of_patient(ANN)) == sealed
    assert np.array_equal(opened(sealed, "one", VoiceKeys(encrypting)), samples)
    assert samples.tobytes()[:64] not in sealed
    for wrong, journal_id in ((sealed, "two"), (sealed[:-1] + b"\0", "one")):
        with pytest.raises(JournalError, match="tampered"):
            opened(wrong, journal_id, keys)


def test_what_was_collected_before_is_encrypted_once_and_plain_prepared_audio_removed(
    encrypting: Settings, warehouse: sa.Engine
) -> None:
    plain = encrypting.model_copy(update={"encrypt_audio": False})
    journal_id, path = put(plain)
    gone = {"journal_id": "f" * 64, "patient_key": BOB}
    with warehouse.begin() as connection:
        upsert(connection, "journals", frame(journal(journal_id=journal_id, patient_key=ANN), journal(**gone)))
    for night, schema in (("2026-01-05", prepared_schema()), ("2026-01-06", prepared_schema(encrypted=True))):
        write_arrow([], encrypting.work_dir / night / "prepared" / "shard-000.arrow", schema)
    with pytest.raises(SettingsError, match="AFFECT_ENCRYPT_AUDIO"):
        seal_collected(plain)

    first, again = seal_collected(encrypting), seal_collected(encrypting)

    assert (first, again) == (SealingResult(1, 0, 1), SealingResult(0, 1, 0))
    assert is_encrypted(path.read_bytes())
    assert RawStore.of(encrypting).read(journal_id) == RECORDING
    assert [folder.name for folder in encrypting.work_dir.iterdir()] == ["2026-01-06"]
