"""The contract in words, for the documentation."""

from __future__ import annotations

from affect_pipeline.quality.contract import LINES, Expected

REASONS: dict[str, str] = {
    "consent_missing": "The sidecar says nothing about consent. Kept, not analysed.",
    "consent_withdrawn": "The sidecar says `consent: false`. The audio is not copied.",
    "decode_failed": "The decoder could not read it, or its rate, channels or samples are impossible.",
    "empty_file": "The file has no bytes.",
    "measuring_failed": "An error of ours while it was measured; the log has it.",
    "no_decoder": "M4A or WebM, and there is no ffmpeg on PATH. Install it, then release the recording.",
    "non_finite_samples": "Samples are NaN or infinite.",
    "not_audio": "The content is none of the formats that are read, whatever the name says.",
    "outside_landing_zone": "A link that leaves the landing zone. The audio is not copied.",
    "recorded_in_future": "Recorded more than a day after it arrived: a device's clock is wrong.",
    "sidecar_malformed": "The sidecar is not JSON, or its time or consent make no sense.",
    "sidecar_missing": "There is no JSON file of the same name beside the audio.",
    "tampered": "What was kept is not what was collected. It was changed by hand or by its storage.",
    "too_large": "More bytes than `AFFECT_MAX_JOURNAL_BYTES`. The audio is not copied.",
    "too_long": "Longer than `AFFECT_MAX_JOURNAL_S`.",
    "truncated": "Its own headers promise more than there is.",
    "unreadable": "The landing zone lists it, but it could not be read.",
}
"""Problems of a file, its sidecar or its consent, in words."""


def contract_table(lines: tuple[Expected, ...] = LINES) -> str:
    """Return the contract as a Markdown table."""
    rows = ["| expectation | metric | if broken | why |", "|---|---|---|---|"]
    what = {"fail": "quarantine", "warn": "warning"}
    rows += [f"| `{line.name}` | `{line.metric}` | {what[line.level]} | {line.why} |" for line in lines]
    return "\n".join(rows)


def reasons_table() -> str:
    """Return the problems as a Markdown table."""
    rows = ["| problem | meaning |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in REASONS.items())]
    return "\n".join(rows)
