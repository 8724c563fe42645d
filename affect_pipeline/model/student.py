"""The student's architecture and how its front end starts.

A Wav2Vec 2.0 front end of seven small convolutions at full rate eats most of the time on CPU. This one has two:
windows of 25 ms every 10 ms, which start as band-pass filters in four phases at mel-spaced frequencies, then a
convolution down to 50 Hz. It is the same `transformers.Wav2Vec2Model`, only configured otherwise.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from transformers import Wav2Vec2Config

from affect_pipeline.model.encoder import AffectConfig, AffectiveEncoder

SAMPLE_RATE_HZ = 16_000
PHASES = 4
WIDE, NARROW = 400, 160
"""Lengths of filters in samples: 25 ms to resolve harmonics, 10 ms to follow onsets."""


def student_config() -> Wav2Vec2Config:
    """Return the configuration of the shipped student: 5.8 million parameters."""
    return Wav2Vec2Config(
        hidden_size=256, num_hidden_layers=6, num_attention_heads=4, intermediate_size=1024,
        conv_dim=(512, 384), conv_kernel=(WIDE, 3), conv_stride=(160, 2), conv_bias=True,
        feat_extract_norm="layer", do_stable_layer_norm=True,
        num_conv_pos_embeddings=15, num_conv_pos_embedding_groups=16,
        hidden_dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, feat_proj_dropout=0.0, layerdrop=0.0,
        apply_spec_augment=False,
    )  # fmt: skip


def new_student() -> AffectiveEncoder:
    """Return an untrained student whose front end is set."""
    student = AffectiveEncoder(student_config(), AffectConfig(pooled_layers=(2, 4, 6)))
    start_front_end(student)
    return student


def start_front_end(model: AffectiveEncoder) -> None:
    """Set the first convolution to windowed waves at mel-spaced frequencies in four phases.

    After layer norm and GELU, the next convolution can add phases up to band energies, which is what a student
    would otherwise spend its first hours finding. Biases differ between channels, so that layer norm over channels
    keeps the loudness of a frame: a quiet frame shows the biases, a loud one the signal.
    """
    conv = cast(Any, model.wav2vec2.feature_extractor.conv_layers[0]).conv
    n_bands = conv.out_channels // PHASES
    n_wide = n_bands * 3 // 4
    bands = [*_bands(n_wide, WIDE), *_bands(n_bands - n_wide, NARROW)]
    weights = torch.stack(bands)[: conv.out_channels, None]
    with torch.no_grad():
        conv.weight[: len(weights)] = weights.to(conv.weight.dtype)
        conv.bias.copy_(0.3 * torch.randn(conv.out_channels))
    # A fixed filter bank costs no backward pass through the longest convolution, and no student was better off
    # for moving it in the first hour.
    conv.requires_grad_(False)


def _bands(n_bands: int, length: int) -> list[Tensor]:
    mel = torch.linspace(80.0, 2800.0, n_bands)
    hz = 700 * (10 ** (mel / 2595) - 1)
    window = torch.zeros(WIDE)
    start = (WIDE - length) // 2
    window[start : start + length] = torch.hann_window(length)
    time_s = (torch.arange(WIDE) - WIDE / 2) / SAMPLE_RATE_HZ
    # Speech falls by about 6 dB an octave; the gain brings bands to a like level.
    gain = (hz / 300).clamp(0.5, 20.0) * (4.0 / length)
    return [
        g * window * torch.cos(2 * torch.pi * f * time_s + phase * torch.pi / 2)
        for f, g in zip(hz, gain, strict=True)
        for phase in range(PHASES)
    ]
