"""Prosody of speech, frame by frame and summed up, computed in torch from the waveform.

Pitch comes from the autocorrelation of a windowed frame divided by that of the window (Boersma 1993, "Accurate
short-term analysis of the fundamental frequency"), the spectral measures are those of the Geneva minimalistic
set (Eyben et al. 2016, https://doi.org/10.1109/TAFFC.2015.2457417): alpha ratio, Hammarberg index, slopes.
A student encoder learns to predict the frames, and the summaries stand beside its pooled states: sadness is
heard in them across languages when the words and the voices are new.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from affect_pipeline.model import formants

FRAME_SAMPLES = 1024
HOP_SAMPLES = 320
FIRST_CENTRE = 360
"""Centre of the first frame in samples: that of the first frame of the shipped encoder."""
SAMPLE_RATE_HZ = 16_000
F0_MIN_HZ, F0_MAX_HZ = 62.5, 500.0
VOICED_STRENGTH = 0.5
ACTIVE_BELOW_PEAK_DB = 35.0
SPECTRAL_FLOOR = 1e-5
"""Power per bin under which rooms and codecs, not voices, differ; speech has unit power."""
N_MEL = 26
N_CEPSTRA = 6
FRAME_NAMES = (
    "f0_st", "voicing", "harmonicity_db", "energy_db", "alpha_ratio_db", "hammarberg_db", "slope_0_500",
    "slope_500_1500", "log_centroid", "flatness_db", "flux", "f0_change_st", "energy_change_db",
    *(f"cepstrum_{i}" for i in range(1, N_CEPSTRA + 1)),
)  # fmt: skip
QUANTILES = (0.1, 0.5, 0.9)
VOICED_ONLY = ("f0_st", "harmonicity_db", "f0_change_st")


class Prosody(nn.Module):
    """Frame-wise prosody at 50 Hz and its summaries over a window; has no parameters."""

    def __init__(self) -> None:
        super().__init__()
        window = torch.hann_window(FRAME_SAMPLES)
        own = torch.fft.irfft(torch.fft.rfft(window, 2 * FRAME_SAMPLES).abs() ** 2)[:FRAME_SAMPLES]
        hz = torch.fft.rfftfreq(FRAME_SAMPLES, 1 / SAMPLE_RATE_HZ)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("window_autocorrelation", own / own[0], persistent=False)
        self.register_buffer("hz", hz, persistent=False)
        self.register_buffer("mel", _mel_filters(hz), persistent=False)
        self.register_buffer("cosines", _cosines(), persistent=False)
        self.formants = formants.Formants(FRAME_SAMPLES, SAMPLE_RATE_HZ)
        self.window: Tensor
        self.window_autocorrelation: Tensor
        self.hz: Tensor
        self.mel: Tensor
        self.cosines: Tensor

    @property
    def n_summaries(self) -> int:
        """Length of `summaries`."""
        return len(summary_names())

    def frames(self, waves: Tensor) -> Tensor:
        """Return frames (B, F, len(FRAME_NAMES)) of waves (B, T) that have unit power.

        ``f0_st`` is in semitones over 100 Hz and, like ``f0_change_st``, means something only where voicing is
        above `VOICED_STRENGTH`.
        """
        return self._describe(self._cut(waves))

    def _describe(self, cut: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(cut, FRAME_SAMPLES).abs() ** 2 / FRAME_SAMPLES + SPECTRAL_FLOOR
        f0_st, strength = self._pitch(cut)
        energy = 10 * torch.log10(cut.square().mean(-1) + 1e-7)
        harmonicity = 10 * torch.log10(strength.clamp(0.01, 0.99) / (1 - strength.clamp(0.01, 0.99)))
        mel = torch.log(spectrum @ self.mel + 1e-7)
        columns = [f0_st, strength, harmonicity, energy, *self._shape(spectrum), _flux(mel), _change(f0_st)]
        return torch.cat([torch.stack([*columns, _change(energy)], -1), mel @ self.cosines], -1)

    def n_frames(self, lengths: Tensor) -> Tensor:
        """Return how many frames describe waves of these lengths in samples; at least one."""
        return torch.div(lengths - FIRST_CENTRE, HOP_SAMPLES, rounding_mode="floor").clamp(min=0) + 1

    def summaries(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Return summaries (B, n_summaries) over the first ``lengths`` samples of each wave."""
        cut = self._cut(waves)
        frames, n_frames = self._describe(cut), self.n_frames(lengths)
        return torch.cat([summarise(frames, n_frames), self._resonances(cut, frames, n_frames)], -1)

    def _resonances(self, cut: Tensor, frames: Tensor, n_frames: Tensor) -> Tensor:
        _, _, voiced = _which(frames, n_frames)
        values, present = self.formants(cut[voiced], 100.0 * 2 ** (frames[voiced][:, 0] / 12))
        # Each value counts in the frames in which its formant was found.
        counted = frames.new_zeros((*voiced.shape, len(formants.NAMES)), dtype=torch.bool)
        counted[voiced] = present.repeat(1, len(formants.NAMES) // formants.N_FORMANTS)
        spread = frames.new_zeros(counted.shape)
        spread[voiced] = values
        parts: list[Tensor] = []
        for index in range(len(formants.NAMES)):
            parts += _mean_and_sd(spread[..., index], counted[..., index])
        return torch.stack(parts, -1)

    def _cut(self, waves: Tensor) -> Tensor:
        left = FRAME_SAMPLES // 2 - FIRST_CENTRE
        n = int(self.n_frames(torch.tensor(waves.shape[-1])))
        right = max(0, (n - 1) * HOP_SAMPLES + FRAME_SAMPLES - left - waves.shape[-1])
        padded = nn.functional.pad(waves, (left, right))
        return padded.unfold(-1, FRAME_SAMPLES, HOP_SAMPLES)[:, :n] * self.window

    def _pitch(self, cut: Tensor) -> tuple[Tensor, Tensor]:
        low, high = int(SAMPLE_RATE_HZ / F0_MAX_HZ), int(SAMPLE_RATE_HZ / F0_MIN_HZ)
        centred = cut - cut.mean(-1, keepdim=True)
        power = torch.fft.rfft(centred, 2 * FRAME_SAMPLES).abs() ** 2
        correlation = torch.fft.irfft(power)[..., : high + 2]
        correlation = correlation / (correlation[..., :1] + 1e-6) / self.window_autocorrelation[: high + 2]
        lags = torch.arange(low, high + 1, device=cut.device)
        # A small charge for long lags keeps the octave below from winning by a hair (Boersma's octave cost).
        cost = 0.02 * torch.log2(lags / low)
        best = (correlation[..., low : high + 1] - cost).argmax(-1, keepdim=True) + low
        left, middle, right = (correlation.gather(-1, best + step) for step in (-1, 0, 1))
        bend = (left - 2 * middle + right).clamp(max=-1e-4)
        lag = best + (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
        f0_st = 12 * torch.log2(SAMPLE_RATE_HZ / lag / 100.0)
        return f0_st.squeeze(-1), middle.squeeze(-1).clamp(0, 1)

    def _shape(self, spectrum: Tensor) -> list[Tensor]:
        def band(low: float, high: float) -> Tensor:
            return spectrum[..., (self.hz >= low) & (self.hz < high)]

        db = 10 * torch.log10(spectrum)
        alpha = 10 * torch.log10(band(50, 1000).sum(-1) / band(1000, 5000).sum(-1))
        hammarberg = 10 * torch.log10(band(0, 2000).amax(-1) / band(2000, 5000).amax(-1))
        centroid = torch.log2((spectrum * self.hz).sum(-1) / spectrum.sum(-1) + 50.0)
        flatness = band(100, 6000).log().mean(-1) - band(100, 6000).mean(-1).log()
        return [alpha, hammarberg, self._slope(db, 0, 500), self._slope(db, 500, 1500), centroid, 4.34 * flatness]

    def _slope(self, db: Tensor, low: float, high: float) -> Tensor:
        chosen = (self.hz >= low) & (self.hz < high)
        x = self.hz[chosen] / 1000.0
        x = x - x.mean()
        return (db[..., chosen] * x).sum(-1) / x.square().sum()


def summary_names() -> tuple[str, ...]:
    """Return the names of the columns of `Prosody.summaries`, in order: those of `summarise`, then formants."""
    spread, resonances = (
        tuple(f"{name}_{what}" for name in names for what in ("mean", "sd")) for names in (FRAME_NAMES, formants.NAMES)
    )
    quantiles = tuple(f"{name}_q{int(100 * q)}" for name in ("f0_st", "energy_db") for q in QUANTILES)
    rhythm = ("voiced_share", "voiced_runs_per_s", "energy_peaks_per_s", "f0_rise_share")
    return (*spread, *quantiles, *rhythm, *resonances)


def summarise(frames: Tensor, n_frames: Tensor) -> Tensor:
    """Sum up frames (B, F, P), of which the first ``n_frames`` (B,) count, without formants.

    Means and spreads are over active frames (within `ACTIVE_BELOW_PEAK_DB` of the loud ones); those of pitch
    and harmonicity over voiced frames only. Where nothing is voiced they are zero.
    """
    inside, active, voiced = _which(frames, n_frames)
    parts: list[Tensor] = []
    for index, name in enumerate(FRAME_NAMES):
        counted = voiced & _before(voiced) if name == "f0_change_st" else voiced if name in VOICED_ONLY else active
        parts += _mean_and_sd(frames[..., index], counted)
    for name, counted in (("f0_st", voiced), ("energy_db", active)):
        values = frames[..., FRAME_NAMES.index(name)].masked_fill(~counted, torch.nan)
        parts += list(torch.nanquantile(values, values.new_tensor(QUANTILES), dim=1).nan_to_num(0.0))
    return torch.stack([*parts, *_rhythm(frames, inside, active, voiced)], -1)


def _which(frames: Tensor, n_frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return masks (B, F) of the frames inside the audio, of active and of voiced ones."""
    energy = frames[..., FRAME_NAMES.index("energy_db")]
    inside = torch.arange(frames.shape[1], device=frames.device) < n_frames[:, None]
    loud = torch.nanquantile(energy.masked_fill(~inside, torch.nan), 0.95, dim=1, keepdim=True)
    active = inside & (energy > loud - ACTIVE_BELOW_PEAK_DB)
    return inside, active, active & (frames[..., 1] > VOICED_STRENGTH)


def _rhythm(frames: Tensor, inside: Tensor, active: Tensor, voiced: Tensor) -> list[Tensor]:
    seconds = inside.sum(1).clamp(min=1) * (HOP_SAMPLES / SAMPLE_RATE_HZ)
    starts = (voiced[:, 1:] & ~voiced[:, :-1]).sum(1) + voiced[:, 0]
    energy = nn.functional.avg_pool1d(frames[..., 3][:, None], 3, 1, padding=1)[:, 0]
    middle = energy[:, 1:-1]
    peaks = ((middle > energy[:, :-2]) & (middle >= energy[:, 2:]) & active[:, 1:-1]).sum(1)
    change = frames[..., FRAME_NAMES.index("f0_change_st")]
    moving = voiced & _before(voiced)
    rising = ((change > 0) & moving).sum(1) / moving.sum(1).clamp(min=1)
    return [voiced.sum(1) / active.sum(1).clamp(min=1), starts / seconds, peaks / seconds, rising.to(frames.dtype)]


def _mean_and_sd(values: Tensor, counted: Tensor) -> list[Tensor]:
    weights = counted.to(values.dtype)
    n = weights.sum(1).clamp(min=1)
    mean = (values * weights).sum(1) / n
    sd = (((values - mean[:, None]) * weights).square().sum(1) / n + 1e-8).sqrt()
    return [mean, sd]


def _change(values: Tensor) -> Tensor:
    return nn.functional.pad(values[:, 1:] - values[:, :-1], (1, 0)).clamp(-24, 24)


def _before(marks: Tensor) -> Tensor:
    return nn.functional.pad(marks[:, :-1], (1, 0))


def _flux(mel: Tensor) -> Tensor:
    shape = mel - mel.mean(-1, keepdim=True)
    return nn.functional.pad((shape[:, 1:] - shape[:, :-1]).square().mean(-1).sqrt(), (1, 0))


def _mel_filters(hz: Tensor) -> Tensor:
    low, high = (2595 * math.log10(1 + limit / 700) for limit in (20, 7600))
    # The device is named: transformers patches linspace while it loads a model, and torch remembers the patch.
    edges = torch.linspace(low, high, N_MEL + 2, device=hz.device)
    x = 2595 * torch.log10(1 + hz / 700)[:, None]
    up, down = (x - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - x) / (edges[2:] - edges[1:-1])
    return torch.minimum(up, down).clamp(min=0)


def _cosines() -> Tensor:
    n = torch.arange(N_MEL) + 0.5
    return torch.stack([torch.cos(torch.pi * k * n / N_MEL) / N_MEL for k in range(1, N_CEPSTRA + 1)], 1)
