"""``python -m affect_pipeline.compile_ahead``: compile now what numba would compile when the first night needs it.

The set-up runs it once. What comes out lies beside the sources; without it, every process of the first night that
comes to such a function compiles it for itself, for some ten seconds.
"""

from __future__ import annotations

import numpy as np

from affect_pipeline.acoustics.compiled import import_librosa
from affect_pipeline.monitoring.charts.likelihood_ratio import LikelihoodRatio
from affect_pipeline.monitoring.profile import default_profile

RATE_HZ = 16_000


def compile_ahead() -> None:
    """Go once through every compiled function: of librosa, on two seconds of a tone, and of the default chart."""
    from affect_pipeline.acoustics.measure import measure_audio
    from affect_pipeline.journals.decode import DecodedAudio

    import_librosa()
    tone = 0.1 * np.sin(2 * np.pi * 150.0 * np.arange(2 * RATE_HZ) / RATE_HZ)
    measure_audio(DecodedAudio(tone.astype(np.float32), RATE_HZ, 1, "wav"))
    chart, day = LikelihoodRatio(default_profile(1)), np.zeros(2, np.int32)
    state = chart.start(np.zeros((2, 3, 1)), day)
    chart.judge(state, day + 1, np.ones((2, 1)))
    chart.freeze(state, chart.describe(state).onset)
    chart.thaw(state)


if __name__ == "__main__":
    compile_ahead()
