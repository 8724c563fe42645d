"""From frames to one vector a window: mean and spread over the frames of chosen layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MIN_POWER = 1e-8


class Pooling(nn.Module):
    """Masked mean and standard deviation over frames, for each chosen layer.

    Parameters
    ----------
    layers : tuple of int
        Indices into the hidden states; 0 is the input of the first transformer layer.
    """

    def __init__(self, layers: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = layers

    def width(self, hidden_size: int) -> int:
        """Return the length of the pooled vector."""
        return 2 * hidden_size * len(self.layers)

    def forward(self, states: tuple[Tensor, ...], mask: Tensor) -> Tensor:
        """Pool hidden states, each (B, F, H), over frames where mask (B, F) is true, to (B, width)."""
        parts: list[Tensor] = []
        weights = mask[..., None].float()
        n = weights.sum(1).clamp(min=1)
        for layer in self.layers:
            # States of a pre-norm transformer grow from layer to layer; normed, each counts alike.
            frames = nn.functional.layer_norm(states[layer].float(), states[layer].shape[-1:])
            mean = (frames * weights).sum(1) / n
            variance = ((frames - mean[:, None]).square() * weights).sum(1) / n
            parts += [mean, (variance + 1e-5).sqrt()]
        return torch.cat(parts, -1)


def frame_mask(n_frames: Tensor, width: int) -> Tensor:
    """Return a mask (B, width) that is true for the first ``n_frames`` (B,) of each row, at least one."""
    return torch.arange(width, device=n_frames.device) < n_frames.clamp(min=1)[:, None]


def unit_power(waves: Tensor, lengths: Tensor) -> Tensor:
    """Return waves (B, T) without offset and with unit power over the first ``lengths`` (B,) samples."""
    inside = (torch.arange(waves.shape[1], device=waves.device) < lengths[:, None]).to(waves.dtype)
    n = lengths.clamp(min=1)[:, None].to(waves.dtype)
    centred = (waves - (waves * inside).sum(1, keepdim=True) / n) * inside
    power = centred.square().sum(1, keepdim=True) / n
    return centred * torch.rsqrt(power + MIN_POWER)
