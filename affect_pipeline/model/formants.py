"""Resonances of the vocal tract in voiced frames: frequency, bandwidth and level of the first three formants.

Linear prediction by the autocorrelation method, on the pre-emphasised spectrum up to 5.5 kHz (Markel & Gray 1976,
"Linear prediction of speech"); a formant is a root of the predictor, its level that of the strongest harmonic near
it over the fundamental (as in Eyben et al. 2016, https://doi.org/10.1109/TAFFC.2015.2457417). They tell a lax from
a spread or rounded mouth, which tilt and pitch do not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ORDER = 11
TOP_HZ = 5500.0
PRE_EMPHASIS = 0.97
N_FORMANTS = 3
LOWEST_HZ, WIDEST_HZ = 90.0, 800.0
NEAR_FUNDAMENTAL_BINS, NEAR_FORMANT_BINS = 2, 8
NAMES = tuple(f"{what}_{n}" for what in ("formant_oct", "bandwidth_oct", "formant_level_db") for n in (1, 2, 3))


class Formants(nn.Module):
    """Formants of windowed frames; has no parameters.

    Parameters
    ----------
    frame_samples : int
        Length of a frame.
    sample_rate_hz : int
        Sampling rate.
    """

    def __init__(self, frame_samples: int, sample_rate_hz: int) -> None:
        super().__init__()
        self.frame_samples = frame_samples
        self.bin_hz = sample_rate_hz / frame_samples
        hz = torch.fft.rfftfreq(frame_samples, 1 / sample_rate_hz)
        low = hz[: int(TOP_HZ / self.bin_hz) + 1]
        emphasis = 1 + PRE_EMPHASIS**2 - 2 * PRE_EMPHASIS * torch.cos(2 * torch.pi * low / sample_rate_hz)
        lags = torch.arange(ORDER + 1, device=hz.device)
        to_correlation = emphasis[:, None] * torch.cos(torch.pi * low[:, None] / TOP_HZ * lags)
        self.register_buffer("to_correlation", to_correlation, persistent=False)
        self.to_correlation: Tensor

    def forward(self, frames: Tensor, f0_hz: Tensor) -> tuple[Tensor, Tensor]:
        """Describe voiced frames.

        Parameters
        ----------
        frames : Tensor
            (N, frame_samples), windowed.
        f0_hz : Tensor
            (N,), their fundamental.

        Returns
        -------
        values : Tensor
            (N, len(NAMES)): log2 of frequencies and bandwidths in Hz, levels in dB over the fundamental.
        present : Tensor
            (N, 3) bool: formants that were found, the lowest first.
        """
        if len(frames) == 0:  # nobody speaks: there is no transform of nothing
            return frames.new_zeros((0, len(NAMES))), frames.new_zeros((0, N_FORMANTS), dtype=torch.bool)
        power = torch.fft.rfft(frames, self.frame_samples).abs() ** 2 / self.frame_samples + 1e-7
        correlation = power[:, : len(self.to_correlation)] @ self.to_correlation
        hz, width_hz = self._resonances(predictor(correlation / correlation[:, :1]))
        kept = (hz > LOWEST_HZ) & (hz < TOP_HZ - LOWEST_HZ) & (width_hz < WIDEST_HZ)
        ordered, order = torch.where(kept, hz, torch.inf).sort(-1)
        first, present = ordered[:, :N_FORMANTS], torch.isfinite(ordered[:, :N_FORMANTS])
        first = torch.where(present, first, LOWEST_HZ)
        widths = torch.where(present, width_hz.gather(-1, order[:, :N_FORMANTS]), WIDEST_HZ).clamp(min=20.0)
        level_db = 10 * torch.log10(power)
        fundamental = self._peak(level_db, f0_hz[:, None], NEAR_FUNDAMENTAL_BINS)
        levels = self._peak(level_db, first, NEAR_FORMANT_BINS) - fundamental
        return torch.cat([first.log2(), widths.log2(), levels], -1), present

    def _resonances(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        companion = torch.diag_embed(coefficients.new_ones(len(coefficients), ORDER - 1), offset=-1)
        companion[:, 0] = -coefficients[:, 1:]
        roots = torch.linalg.eigvals(companion.double())
        hz = roots.angle() * (TOP_HZ / torch.pi)
        width_hz = -roots.abs().clamp(1e-6, 1 - 1e-6).log() * (2 * TOP_HZ / torch.pi)
        return hz.to(coefficients.dtype), width_hz.to(coefficients.dtype)

    def _peak(self, level_db: Tensor, hz: Tensor, reach: int) -> Tensor:
        around = torch.arange(-reach, reach + 1, device=hz.device)
        bins = ((hz / self.bin_hz).round().long()[..., None] + around).clamp(0, level_db.shape[-1] - 1)
        return level_db.gather(-1, bins.flatten(1)).reshape(bins.shape).amax(-1)


def predictor(correlation: Tensor) -> Tensor:
    """Return predictors (N, ORDER + 1), leading 1, of autocorrelations (N, ORDER + 1): Levinson's recursion."""
    error = correlation[:, 0] * 1.0001 + 1e-9
    coefficients = [torch.ones_like(error)]
    for i in range(1, ORDER + 1):
        reflection = -sum((coefficients[j] * correlation[:, i - j] for j in range(i)), torch.zeros_like(error)) / error
        inner = [coefficients[j] + reflection * coefficients[i - j] for j in range(1, i)]
        coefficients = [coefficients[0], *inner, reflection]
        error = error * (1 - reflection**2)
    return torch.stack(coefficients, -1)
