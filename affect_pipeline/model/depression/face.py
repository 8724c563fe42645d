"""What OpenFace measured of a participant's face, gaze and head, as statistics of one interview.

DAIC-WOZ ships three files of OpenFace 1 (``300_CLNF_AUs.txt``, ``_gaze.txt``, ``_pose.txt``), E-DAIC one of OpenFace
2.1 (``300_OpenFace2.1.0_Pose_gaze_AUs.csv``). Only what both hold counts: a head that one taught fits the other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNITS = ("AU01", "AU02", "AU04", "AU05", "AU06", "AU09", "AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU25", "AU26")
"""Action units (Ekman and Friesen) whose intensity both versions of OpenFace estimate."""
NAMES = (
    *(f"{unit} {what}" for unit in UNITS for what in ("mean", "sd")),
    "eyes closed",
    *(f"gaze {axis} {what}" for axis in ("across", "down") for what in ("mean", "sd")),
    "head pitch mean", "head pitch sd", "head yaw sd", "head roll sd", "head turning",
)  # fmt: skip
LEAST_CONFIDENCE = 0.8
"""OpenFace's own measure of a frame, 0 to 1; below this the face was lost or half hidden."""
LEAST_FRAMES = 30
"""A second of video; with less a face says nothing."""
SUFFIXES = ("CLNF_AUs.txt", "CLNF_gaze.txt", "CLNF_pose.txt", "OpenFace2.1.0_Pose_gaze_AUs.csv")
SAME_COLUMN = {
    "gaze_0_x": "x_0", "gaze_0_y": "y_0", "gaze_0_z": "z_0", "gaze_1_x": "x_1", "gaze_1_y": "y_1", "gaze_1_z": "z_1",
    "pose_Rx": "Rx", "pose_Ry": "Ry", "pose_Rz": "Rz",
}  # fmt: skip
"""Columns of OpenFace 2.1 under the names of OpenFace 1."""


def face_features(session: Path, number: str) -> Array:
    """Return the statistics of one interview in the order of `NAMES`, NaN where a file or a column is missing.

    Parameters
    ----------
    session : Path
        The folder of the interview, or that above its ``features``.
    number : str
        The participant's.
    """
    found = np.full(len(NAMES), np.nan)
    for suffix in SUFFIXES:
        for path in sorted((*session.glob(f"{number}_{suffix}"), *session.glob(f"*/{number}_{suffix}"))):
            frames = good_frames(path)
            if len(frames) >= LEAST_FRAMES:
                mine = np.array([_statistic(frames, name) for name in NAMES])
                found = np.where(np.isnan(found), mine, found)
    return found


def good_frames(path: Path) -> pd.DataFrame:
    """Return the frames of a file in which the face was found and OpenFace was sure of it.

    Parameters
    ----------
    path : Path
        Comma-separated with a header; blanks around names and numbers do not matter.
    """
    frames = pd.read_csv(path, skipinitialspace=True)
    frames.columns = [SAME_COLUMN.get(str(name).strip(), str(name).strip()) for name in frames.columns]
    frames = pd.DataFrame(frames.apply(pd.to_numeric, errors="coerce"))  # a lost face is "-1.#IND" in some versions
    sure = (frames["success"] == 1) & (frames["confidence"] >= LEAST_CONFIDENCE)
    return pd.DataFrame(frames[sure])


def _statistic(frames: pd.DataFrame, name: str) -> float:
    what, _, how = name.rpartition(" ")
    if name == "head turning":
        return _turning(frames)
    values = _values(frames, what if name != "eyes closed" else name)
    values = values[~np.isnan(values)]
    if values.size < LEAST_FRAMES:
        return float("nan")
    return float(values.std() if how == "sd" else values.mean())


def _values(frames: pd.DataFrame, what: str) -> Array:
    """Return one measure of every frame: intensities 0 to 5, angles in radians; empty if the file does not hold it."""
    columns = {
        "eyes closed": "AU45_c", "head pitch": "Rx", "head yaw": "Ry", "head roll": "Rz",
        **{unit: f"{unit}_r" for unit in UNITS},
    }  # fmt: skip
    if what in ("gaze across", "gaze down"):
        axis = "x" if what == "gaze across" else "y"
        if not {f"{a}_{eye}" for a in (axis, "z") for eye in (0, 1)} <= set(frames.columns):
            return np.zeros(0)
        # As OpenFace 2 defines its gaze angles: straight at the camera is zero, down is positive.
        both = [np.arctan2(frames[f"{axis}_{eye}"], -frames[f"z_{eye}"]) for eye in (0, 1)]
        return np.asarray(np.mean(both, axis=0), np.float64)
    column = columns[what]
    return frames[column].to_numpy(np.float64) if column in frames else np.zeros(0)


def _turning(frames: pd.DataFrame) -> float:
    """Return how fast the head turns, in radians a second: the median over neighbouring good frames."""
    if not {"Rx", "Ry", "Rz", "timestamp"} <= set(frames.columns):
        return float("nan")
    passed = np.diff(frames["timestamp"].to_numpy(np.float64))
    turned = np.linalg.norm(np.diff(frames[["Rx", "Ry", "Rz"]].to_numpy(np.float64), axis=0), axis=1)
    near = (passed > 0) & (passed < 0.2) & np.isfinite(turned)
    return float(np.median(turned[near] / passed[near])) if near.sum() >= LEAST_FRAMES else float("nan")
