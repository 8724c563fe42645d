from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from subprocess import run

import pytest

from affect_pipeline.errors import DigestMismatch, ModelError, RegistryUnavailable, UnsafeModel
from affect_pipeline.model.encoder import folder_digest, tiny_encoder
from affect_pipeline.model.lookup import find_alias
from affect_pipeline.model.provenance import verify_folder
from affect_pipeline.model.registry import find_version, list_versions, register, resolve, set_alias
from affect_pipeline.model.tracking import mlflow_client
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.embedded import EmbeddedServer
from tests.model.registries import copy_registry, registry_template

__all__ = ["registry_template"]


@pytest.fixture
def registry(settings: Settings, registry_template: Path) -> Settings:
    return copy_registry(registry_template, settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_encoder(1).save(tmp_path / "candidate")
    return tmp_path / "candidate"


def test_the_champion_is_fetched_verified_and_looked_up_anew_each_time(registry: Settings, folder: Path) -> None:
    first = resolve(registry)
    assert folder_digest(first.folder) == first.version.digest == first.folder.name
    version = register(registry, folder)
    assert resolve(registry) == first, "a new version is not the champion"
    set_alias(registry, "champion", version)
    assert resolve(registry).version == version


def test_registering_the_same_folder_again_gives_the_same_version(registry: Settings, folder: Path) -> None:
    assert register(registry, folder) == register(registry, folder, "challenger")
    assert [one.aliases for one in list_versions(registry)] == [("challenger",), ("champion",)]


def test_a_version_carries_card_signature_example_metrics_and_provenance(registry: Settings, folder: Path) -> None:
    (folder / "evaluation.json").write_text(json.dumps({"gate": {"sad_auc": 0.91}, "note": "x"}))
    register(registry, folder)
    found = find_version(registry, folder_digest(folder)[:12])
    assert found.metrics == {"gate": {"sad_auc": 0.91}, "note": "x"}
    assert "| sad_auc | 0.910 |" in found.description
    assert "affect.version.torch" in found.tags
    with mlflow_client(registry) as client:
        import mlflow

        uri = f"models:/{found.version.name}/{found.version.version}"
        info = mlflow.models.get_model_info(uri)
        run_id = client.get_model_version(found.version.name, str(found.version.version)).run_id
        assert client.get_run(run_id).data.metrics == {"gate.sad_auc": 0.91}
        stored = Path(mlflow.artifacts.download_artifacts(uri))
    assert info.signature.inputs.input_names() == ["audio"]
    assert "depression_probability" in info.signature.outputs.input_names()
    assert info.saved_input_example_info is not None
    assert {path.suffix for path in stored.rglob("*") if path.is_file()} <= {
        ".json", ".safetensors", ".py", ".txt", ".yaml", "",
    }, "nothing is pickled"  # fmt: skip


def test_the_model_loads_through_mlflow_and_scores_as_the_scorer_does(registry: Settings) -> None:
    import mlflow
    import numpy as np
    import pandas as pd

    from affect_pipeline.model.scorer import Scorer

    audio = np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32)
    [expected] = Scorer(resolve(registry).folder, device="cpu").score([audio])
    with mlflow_client(registry):
        model = mlflow.pyfunc.load_model("models:/affect-wav2vec2@champion")
        table = model.predict(pd.DataFrame({"audio": [audio.astype(float).tolist()]}))
    assert table.loc[0, "valence"] == expected.valence


def test_the_quick_lookup_and_mlflow_agree_on_postgresql(
    postgres_server: EmbeddedServer, settings: Settings, folder: Path
) -> None:
    on_postgres = settings.model_copy(update={"mlflow_uri": postgres_server.url("mlflow"), "model_name": "looked-up"})
    assert find_alias(on_postgres, "champion") is None
    version = register(on_postgres, folder, "champion")
    assert find_alias(on_postgres, "champion") == version == resolve(on_postgres).version
    assert find_alias(on_postgres, "nobody") is None
    with mlflow_client(on_postgres) as client:
        found = client.get_model_version_by_alias(version.name, "champion")
    assert (int(found.version), found.tags["affect.digest"]) == (version.version, version.digest)


def test_looking_up_the_champion_imports_neither_mlflow_nor_torch(registry: Settings) -> None:
    code = (
        "import sys; from pathlib import Path; from affect_pipeline.settings import Settings\n"
        "from affect_pipeline.model.lookup import find_alias\n"
        f"settings = Settings(home=Path({str(registry.home)!r}), mlflow_uri={registry.mlflow_uri!r})\n"
        "assert find_alias(settings, 'champion').version == 1\n"
        "assert not {'mlflow', 'torch'} & set(sys.modules)"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_flipped_byte_in_the_artifact_store_is_refused_and_not_kept(
    registry: Settings, registry_template: Path, folder: Path
) -> None:
    tiny_encoder(99).save(folder)
    version = register(registry, folder, "champion")
    stored = registry_template.rglob("artifacts/artifacts/model/model.safetensors")
    [weights] = [path for path in stored if folder_digest(path.parent) == version.digest]
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(DigestMismatch, match=version.digest):
        resolve(registry)
    assert not (registry.home / "models" / version.digest).exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "scaler.pkl", "last.ckpt", "modeling_x.py"])
def test_pickles_and_code_are_refused_by_name_at_any_depth(folder: Path, name: str) -> None:
    for place in (folder, folder / "deep"):
        place.mkdir(exist_ok=True)
        (place / name).write_bytes(b"\x80\x04.")
        with pytest.raises(UnsafeModel, match=name):
            verify_folder(folder)
        (place / name).unlink()
    verify_folder(folder)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"auto_map": {"AutoModel": "modeling.Evil"}}, UnsafeModel, "auto_map"),
        ({"nested": [{"trust_remote_code": True}]}, UnsafeModel, "trust_remote_code"),
        ({"model_type": "whisper"}, ModelError, "'whisper'"),
    ],
)
def test_configurations_that_bring_code_or_another_architecture_are_refused(
    folder: Path, change: dict[str, object], error: type[ModelError], message: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(error, match=message):
        verify_folder(folder)


def test_weights_changed_after_they_were_measured_are_refused(folder: Path) -> None:
    (folder / "evaluation.json").write_text(json.dumps({"digest": folder_digest(folder), "gate": {"auc": 0.9}}))
    verify_folder(folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(DigestMismatch, match=r"evaluation\.json was measured on"):
        verify_folder(folder)


def test_weights_that_do_not_fit_or_are_missing_are_refused(registry: Settings, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "without")
    (tmp_path / "without" / "model.safetensors").unlink()
    for path, message in ((tmp_path / "without", "model.safetensors"), (tmp_path / "nowhere", "not a folder")):
        with pytest.raises(ModelError, match=message):
            register(registry, path)
    assert len(list_versions(registry)) == 1


def test_an_unknown_version_lists_what_there_is(registry: Settings) -> None:
    with pytest.raises(ModelError, match=r"names 0 versions .* there are: 1 \([0-9a-f]{12}, champion\)"):
        find_version(registry, "7")


def test_an_unreachable_registry_names_its_setting(settings: Settings, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for uri in (f"sqlite:///{tmp_path}/file/mlflow.db", "postgresql+psycopg://user:secret@localhost:1/mlflow"):
        away = settings.model_copy(update={"mlflow_uri": uri})
        with pytest.raises(RegistryUnavailable, match="AFFECT_MLFLOW_URI") as caught:
            find_alias(away, "champion")
        assert "secret" not in str(caught.value)
