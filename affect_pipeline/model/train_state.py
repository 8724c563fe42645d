"""A step of a training, and checkpoints: weights and optimizer state in safetensors, the step in JSON. No pickles."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

STATE_FILE, STEP_FILE = "state-{step}.safetensors", "step.json"


def save_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write a checkpoint that is whole whenever the process is killed: first the file, then its name."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": value.detach().contiguous().clone() for name, value in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value).clone() for name, value in state.items()}
    target = folder / STATE_FILE.format(step=step)
    save_file(tensors, target)
    pointer = folder / f"{STEP_FILE}.tmp"
    pointer.write_text(json.dumps({"step": step, "file": target.name}))
    pointer.replace(folder / STEP_FILE)
    for old in folder.glob(STATE_FILE.format(step="*")):
        if old != target:
            old.unlink()


def load_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load the checkpoint in a folder, if there is one; returns the number of steps it has done."""
    pointer = folder / STEP_FILE
    if not pointer.exists():
        return 0
    where = json.loads(pointer.read_text())
    tensors = load_file(folder / where["file"])
    model.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("model.")})
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(where["step"])


def descend(
    model: nn.Module, optimizer: torch.optim.Optimizer, losses: dict[str, Tensor], learning_rate: float
) -> dict[str, float]:
    """Take one step down ``losses["total"]``, gradients clipped to norm 1; returns the losses as plain numbers."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad(set_to_none=True)
    losses["total"].backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return {name: float(value.detach()) for name, value in losses.items()}
