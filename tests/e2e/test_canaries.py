"""What a sender writes into names, sidecars and tags of a recording goes no further than the landing zone."""

from __future__ import annotations

import io
import json
from datetime import date, timedelta
from pathlib import Path

import pytest
import soundfile as sf

from affect_pipeline.nights import Nights
from affect_pipeline.stages.in_process import run_nights
from affect_pipeline.warehouse.engine import connect
from tests.audio import RATE_HZ, Voice, deliver, sidecar, speech
from tests.e2e.conftest import Installation
from tests.e2e.leaks import places_that_hold

pytestmark = pytest.mark.slow

NIGHT = date(2026, 1, 5)
CANARIES = {
    "folder": "MRN-canary-4711",
    "file": "jane-canary-doe",
    "field": "canary-of-berlin@example.org",
    "device": "phone of MRN-canary-4711",
    "tag": "sung by canary Jane",
    "broken": "canary-in-a-broken-sidecar",
    "broken tag": "canary in a cut file",
}


def tagged(text: str, kind: str, seed: int) -> bytes:
    """Return a recording whose tags (RIFF INFO, Vorbis comments, ID3) hold a text."""
    buffer = io.BytesIO()
    with sf.SoundFile(buffer, "w", RATE_HZ, 1, format=kind) as file:
        file.title = file.artist = file.comment = text
        file.write(speech(Voice(duration_s=8.0, seed=seed)))
    return buffer.getvalue()


def test_canaries_in_names_sidecars_and_tags_are_found_nowhere_downstream(
    installation: Installation, tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    night = NIGHT.isoformat()
    told = json.loads(sidecar(device=CANARIES["device"], recorded_at=f"{NIGHT - timedelta(days=1)}T08:00:00Z"))
    described = json.dumps(told | {"name": CANARIES["field"], "e-mail": {"to": [CANARIES["field"]]}}).encode()
    for number, (kind, suffix) in enumerate((("WAV", "wav"), ("FLAC", "flac"), ("OGG", "ogg"), ("MP3", "mp3"))):
        audio = tagged(CANARIES["tag"], kind, number)
        assert CANARIES["tag"].encode() in audio
        deliver(landing, night, CANARIES["folder"], f"{CANARIES['file']}-{number}.{suffix}", audio, described)
    broken = tagged(CANARIES["broken tag"], "WAV", 9)[:5000]
    deliver(landing, night, CANARIES["folder"], "cut.wav", broken, f'{{"x": "{CANARIES["broken"]}'.encode())
    settings = installation("canaries").model_copy(update={"landing_url": str(landing), "encrypt_audio": True})

    run_nights(settings, Nights.one(NIGHT))

    with connect(settings).connect() as connection:
        scored = connection.exec_driver_sql("SELECT count(*) FROM affect.scores").scalar_one()
        key = connection.exec_driver_sql("SELECT patient_key FROM affect.patients").scalar_one()
    databases = [settings.warehouse_url, settings.mlflow_uri]
    assert scored == 4
    assert places_that_hold([key], settings.home, databases) != [], "what is looked for must be findable"
    assert places_that_hold(CANARIES.values(), settings.home, databases) == []
