"""The student's architecture and how it starts: band energies in front, the first layers of its teacher behind.

A Wav2Vec 2.0 front end of seven small convolutions at full rate eats most of the time on CPU. This one has three: the
first gives logarithms of band energies every 10 ms (`affect_pipeline.model.front_end`), the others are learnt and go
down to 50 Hz. Behind them are the first transformer layers of a Whisper, whose input the front end has to learn. It is
a `transformers.Wav2Vec2Model` in all else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config

from affect_pipeline.errors import ModelError
from affect_pipeline.model.encoder import LOG_BANDS, SINUSOIDAL, AffectConfig, AffectiveEncoder
from affect_pipeline.model.front_end import HOP, LEVEL, N_BANDS, WIDTH
from affect_pipeline.model.teacher import Teacher, WhisperTeacher

N_LAYERS = 3
"""Transformer layers: those of the teacher where moods are told apart best, and no more."""
FEED_FORWARD = 1024
"""Units between a layer's two products that are kept of a teacher's 2048: those whose output varies most."""


RIDGE = 1e-3
"""Penalty of the fit of the projection, in variances of what it reads."""


def student_config(width: int = 512, heads: int = 8, feed_forward: int = FEED_FORWARD) -> Wav2Vec2Config:
    """Return the configuration of a student; with the defaults, that of the shipped one."""
    return Wav2Vec2Config(
        hidden_size=width, num_hidden_layers=N_LAYERS, num_attention_heads=heads, intermediate_size=feed_forward,
        conv_dim=(N_BANDS, width, width), conv_kernel=(WIDTH, 3, 3), conv_stride=(HOP, 1, 2), conv_bias=True,
        feat_extract_norm="group", do_stable_layer_norm=True,  # "group": convolutions behind the first have no norm
        num_conv_pos_embeddings=15, num_conv_pos_embedding_groups=16,
        hidden_dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, feat_proj_dropout=0.0, layerdrop=0.0,
        apply_spec_augment=False,
    )  # fmt: skip


def new_student(teacher: Teacher, waves: Tensor) -> AffectiveEncoder:
    """Return a student whose layers are its teacher's first.

    Parameters
    ----------
    teacher : Teacher
        A Whisper, or any other encoder; of another one the student takes the width and starts from nothing.
    waves : Tensor
        Speech (B, T) at the level that the teacher is to hear; decides which feed-forward units are kept.
    """
    affect = AffectConfig(pooled_layers=(0, 2, 3), first_layer=LOG_BANDS)
    if not isinstance(teacher, WhisperTeacher):
        return AffectiveEncoder(student_config(teacher.width, max(teacher.width // 64, 1)), affect)
    layers = teacher.encoder.layers
    if len(layers) < N_LAYERS:
        raise ModelError(f"the teacher has {len(layers)} layers; a student takes its first {N_LAYERS}")
    kept = min(FEED_FORWARD, layers[0].fc1.out_features)
    config = student_config(teacher.width, layers[0].self_attn.num_heads, kept)
    student = AffectiveEncoder(config, replace(affect, positions=SINUSOIDAL))
    with torch.no_grad():
        _take_front(student, teacher, waves)
        states = teacher.states(waves, N_LAYERS)
        for target, source, state in zip(student.wav2vec2.encoder.layers, layers, states, strict=False):
            _take_layer(cast(Any, target), source, state)
        nn.init.ones_(student.wav2vec2.encoder.layer_norm.weight)
        nn.init.zeros_(student.wav2vec2.encoder.layer_norm.bias)
    return student


def _take_front(student: AffectiveEncoder, teacher: WhisperTeacher, waves: Tensor) -> None:
    """Copy a Whisper's convolutions; the projection behind them, which norms first, is fitted by least squares."""
    ours: Any = student.wav2vec2
    for target, source in zip(ours.feature_extractor.conv_layers[1:], teacher.convolutions, strict=True):
        target.conv.load_state_dict(source.state_dict())
    heard = ours.feature_extractor(waves / LEVEL).transpose(1, 2).flatten(0, 1).double()
    normed = nn.functional.layer_norm(heard, heard.shape[-1:])
    means = normed.mean(0), heard.mean(0)
    centred = normed - means[0]
    gram = centred.T @ centred
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    weight = torch.linalg.solve(gram + ridge, centred.T @ (heard - means[1])).T
    ours.feature_projection.projection.weight.copy_(weight)
    ours.feature_projection.projection.bias.copy_(means[1] - weight @ means[0])


def _take_layer(target: Any, source: Any, state: Tensor) -> None:
    """Copy a Whisper's layer; of its feed-forward units only those that vary most, others as their mean."""
    for ours, theirs in (
        (target.layer_norm, source.self_attn_layer_norm),
        (target.final_layer_norm, source.final_layer_norm),
        *((getattr(target.attention, f"{x}_proj"), getattr(source.self_attn, f"{x}_proj")) for x in "qv"),
        (target.attention.out_proj, source.self_attn.out_proj),
    ):
        ours.load_state_dict(theirs.state_dict())
    target.attention.k_proj.weight.copy_(source.self_attn.k_proj.weight)
    target.attention.k_proj.bias.zero_()
    after = state + source.self_attn(source.self_attn_layer_norm(state))[0]
    units = nn.functional.gelu(source.fc1(source.final_layer_norm(after))).flatten(0, 1)
    matters = units.std(0) * source.fc2.weight.norm(dim=0)
    order = matters.argsort(descending=True)
    n_kept = target.feed_forward.intermediate_dense.out_features
    kept, dropped = order[:n_kept].sort().values, order[n_kept:]
    target.feed_forward.intermediate_dense.weight.copy_(source.fc1.weight[kept])
    target.feed_forward.intermediate_dense.bias.copy_(source.fc1.bias[kept])
    target.feed_forward.output_dense.weight.copy_(source.fc2.weight[:, kept])
    usual = source.fc2.weight[:, dropped] @ units.mean(0)[dropped]
    target.feed_forward.output_dense.bias.copy_(source.fc2.bias + usual)
