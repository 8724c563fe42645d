"""What may take the place of two parts of a `transformers.Wav2Vec2Model`: its first convolution, and its positions.

The layers of a Wav2Vec 2.0 find band energies and their logarithms by training for days; `LogBands` is that
convolution written down. The layers behind it are Wav2Vec 2.0's own. `SinusoidalPositions` say where a frame lies as a
Whisper says it, for layers that were taken from one.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from affect_pipeline.acoustics.preprocessing import LEVEL_DBFS

FIRST = 1
"""Position of the first frame: it is centred where the second frame of a Whisper is."""
N_BANDS, WIDTH, HOP = 80, 400, 160
"""As a Whisper hears: 80 mel bands to 8 kHz (Slaney), windows of 25 ms every 10 ms."""
LEVEL = 10 ** (LEVEL_DBFS / 20)
"""RMS of the audio that a Whisper hears, and that audio of unit power is brought to: that of a prepared journal."""
FLOOR = 10**-6.5
"""Power that is added to each band: about 8 decades below the loudest bands of speech, where Whisper cuts off."""


class LogBands(nn.Module):
    """The first convolution of a front end: logarithms of the power in mel bands.

    Constants, computed and not stored.
    """

    def __init__(self) -> None:
        super().__init__()
        from transformers.audio_utils import mel_filter_bank

        time = torch.arange(WIDTH, dtype=torch.float64)
        angles = 2 * torch.pi * torch.arange(WIDTH // 2 + 1, dtype=torch.float64)[:, None] * time / WIDTH
        window = torch.hann_window(WIDTH, dtype=torch.float64)
        waves = torch.cat([window * angles.cos(), window * angles.sin()])
        bands: Any = mel_filter_bank(WIDTH // 2 + 1, N_BANDS, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
        self.register_buffer("waves", waves[:, None].float(), persistent=False)
        self.register_buffer("bands", torch.from_numpy(bands.T).float()[..., None], persistent=False)
        self.waves: Tensor
        self.bands: Tensor

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Return log10 of band powers, scaled as Whisper does, for audio of unit power.

        Parameters
        ----------
        hidden_states : Tensor
            Audio (B, 1, T) at 16 kHz.

        Returns
        -------
        Tensor
            (B, 80, (T - 400) // 160 + 1); frame i is centred at sample 160 i.
        """
        with torch.autocast(hidden_states.device.type, enabled=False):  # weak bands would drown in rounding
            centred = nn.functional.pad(hidden_states.float() * LEVEL, (WIDTH // 2, -(WIDTH // 2)))
            real, imaginary = nn.functional.conv1d(centred, self.waves, stride=HOP).chunk(2, 1)
            power = nn.functional.conv1d(real.square() + imaginary.square(), self.bands)
            return torch.log10(power + FLOOR) / 4 + 1


class SinusoidalPositions(nn.Module):
    """Takes the place of the convolution that tells where a frame lies."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Return what is added to hidden states (B, F, H): (1, F, H)."""
        n_frames, width = hidden_states.shape[1:]
        positions = torch.arange(n_frames, device=hidden_states.device) + FIRST
        return sinusoids(positions, width).to(hidden_states.dtype)[None]


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Return the encoding (F, width) of positions (F,): sines, then cosines, of periods from 2 pi to 20,000 pi.

    As in Vaswani et al. 2017, in the order of Whisper.
    """
    steps = torch.arange(width // 2, device=positions.device)
    rates = torch.exp(steps * (-math.log(10_000) / (width // 2 - 1)))
    angles = positions[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
