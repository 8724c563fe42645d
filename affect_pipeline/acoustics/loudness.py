"""Integrated loudness after ITU-R BS.1770."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.signal import sosfilt

Samples = npt.NDArray[np.float32]

BLOCK_S = 0.4
STEP_S = 0.1
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
OFFSET_LU = -0.691


def integrated_loudness_lufs(audio: Samples, rate_hz: int) -> float:
    """Measure the loudness of a recording as a listener would judge it.

    Parameters
    ----------
    audio : ndarray of float32, shape (n,)
        Mono audio.
    rate_hz : int
        Its sampling rate.

    Returns
    -------
    float
        Loudness in LUFS; NaN if the recording is under 0.4 s or nothing passes the gate of -70 LUFS.

    References
    ----------
    ITU-R BS.1770-5 (2023), annex 1: K-weighting, blocks of 400 ms with 75 % overlap, an absolute gate
    at -70 LUFS and a relative one at -10 LU. The filters for rates other than 48 kHz are those of
    Brecht De Man (2018), "Evaluation of Implementations of the EBU R128 Loudness Measurement".
    """
    step = round(STEP_S * rate_hz)
    n_steps = audio.size // step
    per_block = round(BLOCK_S / STEP_S)
    if n_steps < per_block:
        return math.nan
    weighted = sosfilt(_k_weighting(rate_hz), audio[: n_steps * step].astype(np.float64))
    step_power = np.square(weighted).reshape(n_steps, step).mean(axis=1)
    power = np.convolve(step_power, np.full(per_block, 1 / per_block), mode="valid")
    power = power[power > 10 ** ((ABSOLUTE_GATE_LUFS - OFFSET_LU) / 10)]
    if not power.size:
        return math.nan
    power = power[power > power.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
    return float(OFFSET_LU + 10 * np.log10(power.mean()))


@lru_cache
def _k_weighting(rate_hz: int) -> npt.NDArray[np.float64]:
    """Return the K-weighting as second-order sections: a shelf for the head, a high-pass."""
    shelf_gain, shelf_q, shelf_hz = 10 ** (3.999843853973347 / 20), 0.7071752369554196, 1681.974450955533
    k = math.tan(math.pi * shelf_hz / rate_hz)
    vb = shelf_gain**0.4996667741545416
    a0 = 1 + k / shelf_q + k * k
    shelf = [
        (shelf_gain + vb * k / shelf_q + k * k) / a0,
        2 * (k * k - shelf_gain) / a0,
        (shelf_gain - vb * k / shelf_q + k * k) / a0,
        1.0,
        2 * (k * k - 1) / a0,
        (1 - k / shelf_q + k * k) / a0,
    ]
    pass_q, pass_hz = 0.5003270373238773, 38.13547087602444
    k = math.tan(math.pi * pass_hz / rate_hz)
    a0 = 1 + k / pass_q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / pass_q + k * k) / a0]
    return np.array([shelf, high_pass])
