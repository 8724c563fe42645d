"""A small installation with recordings, a warehouse and a registry: what the life of a model needs."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from affect_pipeline.model.encoder import tiny_encoder
from affect_pipeline.model.lookup import ModelVersion
from affect_pipeline.model.registry import register
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.load import upsert
from tests.audio import Voice, encode, speech
from tests.model.registries import copy_registry, registry_template
from tests.warehouse import rows

__all__ = ["FIRST", "N_JOURNALS", "challenger", "clinic", "recordings", "registry_template"]

FIRST = rows.DAY
N_JOURNALS = 6


@pytest.fixture(scope="session")
def recordings() -> list[bytes]:
    return [encode(speech(Voice(duration_s=2.5 + 0.5 * n, f0_hz=110 + 15 * n, seed=n))) for n in range(N_JOURNALS)]


@pytest.fixture
def clinic(warehouse_settings: Settings, registry_template: Path, recordings: list[bytes]) -> Settings:
    """An installation with a champion, and six days of two patients' recordings that were accepted."""
    settings = copy_registry(registry_template, warehouse_settings)
    journals = []
    for n, content in enumerate(recordings):
        journal_id = sha256(content).hexdigest()
        path = settings.raw_dir / journal_id[:2] / journal_id
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        journals.append(
            rows.journal(
                journal_id=journal_id,
                delivery_key=rows.key(journal_id),
                patient_key=rows.key(f"patient {n % 2}"),
                local_day=FIRST + timedelta(days=n),
            )
        )
    verdicts = [{"journal_id": j["journal_id"], "status": "accepted", "failed": [], "warned": []} for j in journals]
    with connect(settings).begin() as connection:
        upsert(connection, "patients", rows.frame(rows.patient("patient 0"), rows.patient("patient 1")))
        upsert(connection, "journals", rows.frame(*journals))
        upsert(connection, "journal_verdicts", rows.frame(*verdicts))
    return settings


@pytest.fixture
def challenger(clinic: Settings, tmp_path: Path) -> ModelVersion:
    tiny_encoder(1).save(tmp_path / "challenger")
    return register(clinic, tmp_path / "challenger", "challenger")
