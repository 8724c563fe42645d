"""The network as ONNX says what PyTorch says, is trusted no sooner than weights are, and is used live only."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from affect_pipeline.bench.recordings import Recorder
from affect_pipeline.cli import build
from affect_pipeline.errors import DigestMismatch, ModelError, SettingsError, SignatureRefused
from affect_pipeline.files import read_json
from affect_pipeline.model.encoder import AffectiveEncoder, folder_digest, tiny_encoder
from affect_pipeline.model.live import MOST_APART, check_close, live_scorer, onnx_scorer
from affect_pipeline.model.onnx_network import (
    PARITY,
    OnnxForward,
    OnnxModel,
    beside,
    export_onnx,
    usual_file,
    verify_onnx,
    worst_difference,
)
from affect_pipeline.model.scorer import Scorer
from affect_pipeline.model.signing import new_key
from affect_pipeline.settings import Settings


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a key, and the network as ONNX, written and signed by the command."""
    folder = tmp_path_factory.mktemp("onnx")
    tiny_encoder().save(folder / "model")
    new_key(folder / "owner.pem")
    asked = ["model", "export", "--onnx", "--model", str(folder / "model"), "--out", str(folder / "network.onnx")]
    done = CliRunner().invoke(build(), [*asked, "--key", str(folder / "owner.pem")])
    assert done.exit_code == 0, done.output
    assert "from PyTorch in any output" in done.output
    return folder


@pytest.fixture
def installed(place: Path, settings: Settings) -> Settings:
    """Return settings of an installation that has the network where live analysis looks for it."""
    file = usual_file(settings, folder_digest(place / "model"))
    file.parent.mkdir(parents=True)
    shutil.copyfile(place / "network.onnx", file)
    shutil.copyfile(beside(place / "network.onnx"), beside(file))
    return settings


def journals() -> list[np.ndarray]:
    recorder = Recorder(2)
    return [np.rint(recorder.journal(n, s) * 32767).astype(np.int16) for n, s in enumerate((1.3, 4.0, 12.5))]


def is_onnx(scorer: Scorer) -> bool:
    return isinstance(getattr(scorer._runner, "forward", None), OnnxForward)


def test_every_output_is_that_of_pytorch(place: Path) -> None:
    known = OnnxModel(**read_json(beside(place / "network.onnx")))

    assert known.worst_difference <= PARITY
    assert known.model_digest == folder_digest(place / "model")


def test_windows_of_another_model_are_told_apart(place: Path) -> None:
    assert (
        worst_difference(tiny_encoder(seed=1), OnnxForward(tiny_encoder(seed=1), (place / "network.onnx").read_bytes()))
        > PARITY
    )


def test_scores_shown_live_are_close_to_those_of_the_night(place: Path, settings: Settings) -> None:
    night = Scorer(place / "model", device="cpu")
    live = onnx_scorer(settings, place / "model", place / "network.onnx")

    for here, there in zip(night.score(journals()), live.score(journals()), strict=True):
        assert there.depression_probability == pytest.approx(here.depression_probability, abs=1e-3)
        assert np.abs(there.embedding - here.embedding).max() < PARITY
    assert check_close(night, live) < MOST_APART


def test_a_network_that_was_changed_or_is_of_another_model_is_refused(installed: Settings, place: Path) -> None:
    digest = folder_digest(place / "model")
    file = usual_file(installed, digest)
    with pytest.raises(DigestMismatch, match="made from model"):
        verify_onnx(installed, file, "0" * 64)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(DigestMismatch, match="SHA-256"):
        verify_onnx(installed, file, digest)
    beside(file).write_text("[]")
    with pytest.raises(DigestMismatch, match="does not say"):
        verify_onnx(installed, file, digest)


def test_a_network_that_the_owner_of_the_key_has_not_signed_is_refused(
    installed: Settings, place: Path, tmp_path: Path
) -> None:
    digest = folder_digest(place / "model")
    trusting = {name: installed.model_copy(update={"model_public_key_file": key}) for name, key in {
        "owner": place / "owner.pub.pem", "other": new_key(tmp_path / "other.pem"),
    }.items()}  # fmt: skip
    file = usual_file(installed, digest)

    assert verify_onnx(trusting["owner"], file, digest) == file.read_bytes()
    with pytest.raises(SignatureRefused, match="not signed by the owner"):
        verify_onnx(trusting["other"], file, digest)


def test_live_analysis_runs_on_what_the_setting_says(installed: Settings, settings: Settings, place: Path) -> None:
    def engine(name: str) -> Settings:
        return installed.model_copy(update={"live_engine": name})

    assert is_onnx(live_scorer(engine("onnx"), place / "model"))
    assert not is_onnx(live_scorer(engine("pytorch"), place / "model"))
    assert live_scorer(engine("auto"), place / "model").score(journals()[:1])
    assert not is_onnx(Scorer(place / "model"))  # what nights use


def test_live_analysis_stays_with_pytorch_where_onnx_cannot_be_trusted(
    installed: Settings, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = usual_file(installed, folder_digest(place / "model"))
    file.write_bytes(b"something else")

    assert not is_onnx(live_scorer(installed, place / "model"))
    assert "stays with PyTorch" in caplog.text
    with pytest.raises(DigestMismatch):
        live_scorer(installed.model_copy(update={"live_engine": "onnx"}), place / "model")
    file.unlink()
    assert not is_onnx(live_scorer(installed, place / "model"))
    with pytest.raises(ModelError, match="model export --onnx"):
        live_scorer(installed.model_copy(update={"live_engine": "onnx"}), place / "model")


def test_writing_needs_packages_and_a_format(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(CliRunner().invoke(build(), ["model", "export"]).exception, SettingsError)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(SettingsError, match="export"):
        export_onnx(place / "model", tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_benchmark_puts_both_side_by_side(place: Path, tmp_path: Path) -> None:
    asked = ["bench", "latency", "--quick", "--model-dir", str(place / "model"), "--onnx", str(place / "network.onnx")]
    done = CliRunner().invoke(build(), [*asked, "--json", str(tmp_path / "latency.json")])

    assert done.exit_code == 0, done.output
    rows = read_json(tmp_path / "latency.json")["rows"]
    assert [row["engine"] for row in rows] == ["PyTorch", "ONNX"] * 2
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in rows)
    assert rows[1]["apart"] <= MOST_APART


def test_the_folder_of_a_model_is_not_touched(place: Path) -> None:
    assert AffectiveEncoder.load(place / "model").affect.name == "tiny"
    assert sorted(path.name for path in (place / "model").iterdir()) == [
        "affect.json", "config.json", "model.safetensors",
    ]  # fmt: skip
