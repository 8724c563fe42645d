"""The model card: what the packaged model is, what it may be used for, and every figure that was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from affect_pipeline.model.depression.card import clinical_data, participants, table, uses
from affect_pipeline.model.encoder import AFFECT_FILE, LOG_BANDS, SINUSOIDAL, folder_digest, read_metrics

WORDS = {"depression": "sad vs neutral and calm (neutral alone where a corpus has no calm)",
         "valence": "happy vs angry, sad, fearful, disgust",
         "arousal": "angry, happy, fearful, surprised vs neutral, calm, sad"}  # fmt: skip
CORPORA = {
    "ravdess": "RAVDESS speech, English, acted; CC BY-NC-SA 4.0",
    "emospeech-in": "EmoSpeech v1, India, spoken commands in the wild; CC BY-NC-SA 4.0",
    "emotiontts-kr": "KETTS, Korean, emotional and plain speech; CC BY-NC-SA 4.0, research",
    "emodb": "Berlin EmoDB, German, acted; CC0 1.0; testing only",
}


def model_card(folder: Path) -> str:
    """Return the card of a model folder in Markdown; it quotes ``affect.json`` and ``evaluation.json`` only."""
    affect, metrics = json.loads((folder / AFFECT_FILE).read_text()), read_metrics(folder)
    sections = [
        _head(affect, folder),
        uses(affect) or USES,
        *clinical_data(affect, metrics),
        *participants(metrics),
        _data(affect, folder),
        _figures(metrics),
        _calibration(affect, metrics),
        _honesty(metrics),
        FAILURES,
    ]
    return "\n\n".join(sections) + "\n"


def _head(affect: dict[str, Any], folder: Path) -> str:
    return f"""# Model card: {affect["name"]}

{_what(affect)}, with heads on its states and on measured prosody{_in_words(affect)}.
It hears how somebody speaks, not what is said.

- Outputs: `depression_probability` ({affect["depression_meaning"]}), valence and arousal in [-1, 1], an embedding.
- Input: 16 kHz mono, trimmed and levelled by the pipeline, in windows of at most {affect["window_s"]} s.
- Licence of the weights: {affect["licence"]}, as the recordings they learned from demand: research and
  non-commercial use. The code around them is Apache-2.0.
- Digest: `{folder_digest(folder)}`
- This page is written by `affect model card` from what `affect model evaluate` measured."""


def _what(affect: dict[str, Any]) -> str:
    parts = []
    if affect.get("first_layer") == LOG_BANDS:
        parts.append("its first convolution gives logarithms of mel bands")
    if affect.get("positions") == SINUSOIDAL:
        parts.append("positions of frames are sines")
    return "A Wav2Vec 2.0 encoder" + (f" ({' and '.join(parts)})" if parts else "")


def _in_words(affect: dict[str, Any]) -> str:
    heads = " and ".join(affect.get("wordings", {}))
    return f"; {heads} go through emotion words (log-odds of some against others)" if heads else ""


USES = """## Uses

Intended: research on following one person's change over time, beside that person's own baseline, by people who care for
them and who decide themselves.

Excluded: diagnosis, screening, triage, comparing people with one another, decisions about employment, insurance or
admission, and any commercial use.

**Acted emotion supports no claim about clinical depression.** The depression head was taught by actors who were told to
sound sad, and learned to tell that from neutral, and less from calm, speech. Nobody with a diagnosis was heard.
Fine-tuning on interviews with questionnaires
(`affect model train --corpus daic-woz=DIR`, for those who signed the agreement) replaces it."""

CHOSEN = """Choices of the heads (the weight of calm, the copies and their weight, the share of prosody, which layers
are read, which questions go through words) were made while looking at folds of RAVDESS and at figures on EmoDB. EmoDB
taught nothing, but its figures are not blind any more: expect somewhat less on speech that nobody looked at."""

FAILURES = """## Known failure modes

- Short or noisy recordings: with less than about two seconds of speech, one window decides.
- Hoarseness, a cold, fatigue, intoxication, a new microphone or room move the scores as mood does.
- Voices unlike the actors': children, the elderly, dysphonic speech, singing and whispering were not tried.
- Languages: the heads were taught by one language; figures on others are above, where they were measured. Pitch is
  measured in absolute semitones, so that a language whose speakers are usually lower or flatter moves the scores.
- Formants and voice quality are measured on voiced frames: a recording that is mostly whispered or masked by noise has
  none, and prosody then says little.
- Crying and shouting sadness differs from quiet sadness; acted corpora hold more of the first.
- Quiet sadness and calm: acted calm is slow, low and soft, as quiet sadness is. Heads that learn sad fully against calm
  hear tearful sadness and may rank quiet sadness below a neutral voice; heads that learn it less against calm, as
  these do, take more of calm speech for sad. See the figures for both.
- Level is removed on purpose, so that loudness says nothing about arousal; distance to the microphone would."""


def _data(affect: dict[str, Any], folder: Path) -> str:
    training = affect.get("training", {})
    rows = [
        (name, CORPORA.get(name, ""), entry["language"], entry.get("recordings", "not told"),
         entry.get("labelled", "not told"), entry["speakers"])
        for name, entry in sorted(training.get("corpora", {}).items())
    ]  # fmt: skip
    header = ("corpus", "what, licence", "language", "recordings", "labels used", "speakers")
    return (
        "## Training data of the heads\n\n"
        + table(header, rows)
        + _drawn(training.get("plan"))
        + _heads(training.get("plan"), "depression" in training, " and ".join(affect.get("wordings", {})))
        + _privacy(training)
        + _fine_tuning(training.get("fine_tuning"))
        + _encoder(training.get("encoder"))
        + _notes(training)
    )


def _drawn(plan: dict[str, Any] | None) -> str:
    """Say which corpora are samples, and how to draw them again."""
    drawn = dict((plan or {}).get("at_most", {}))
    return "".join(
        f"\n\nOf {name}, {n} of the labelled recordings taught: sorted by path, shuffled by "
        f"Python's `random.Random({(plan or {}).get('seed')})`, the first {n} of them. "
        f"`affect model train --at-most {name}={n}` draws so."
        for name, n in sorted(drawn.items())
    )


def _heads(plan: dict[str, Any] | None, clinical: bool, in_words: str) -> str:
    """Say how the heads were fitted, in words and with the plan's numbers."""
    if not plan or "prosody_share" not in plan.get("heads", {}):
        return ""
    heads = plan["heads"]
    text = (
        "\n\n## How the heads were fitted\n\nEach head is the sum of two logistic regressions that were fitted apart: "
        "one on the encoder's pooled states, one on measured prosody (pitch, energy, voice quality, formants, rhythm), "
        f"each scaled to the same spread; prosody has {heads['prosody_share']:.0%} of the sum. A corpus counts by "
        f"its recordings, and every speaker of it the same, with {plan['copies']} copies of each recording in other "
        "rooms, noises and codecs"
    )
    if "copy_weight" in heads:
        text += f" that count {heads['copy_weight']} of it"
    if in_words:
        text += f". Of {in_words} the one on states is a softmax regression over emotion words"
    if "calm_weight" in heads and not clinical:
        text += (
            ". The depression head learns sad against neutral, and less against calm: acted calm counts "
            f"{heads['calm_weight']} of neutral"
        )
    if heads.get("nuisance_strength"):
        text += (
            f". Directions in which copies, speakers and unlabelled speech differ are shrunk (strength "
            f"{heads['nuisance_strength']})"
        )
    return text + f". {CHOSEN}"


def _privacy(training: dict[str, Any]) -> str:
    """Say what a private training promises, and to whom."""
    about = training.get("privacy")
    if not about:
        return ""
    spent, plan = about["spent"], about["plan"]
    before = ", ".join(training.get("before", [])) or "no labelled recordings"
    return (
        f"\n\n## Differential privacy of the heads\n\nThe heads were fitted by DP-SGD (Opacus): epsilon "
        f"{spent['epsilon']:g} at delta {spent['delta']:g}. The unit is {about['unit']}: whoever sees the weights, and "
        "knows everything about all other speakers, can tell whether a speaker taught them hardly better than that. "
        f"Each of {plan['steps']} steps saw every speaker, whose gradient was cut to {plan['clip']:g}, with noise of "
        f"{spent['noise_multiplier']:.3g} times that. Standardisation and calibration, and where the descent began, "
        f"are those of a model that was taught by {before}; its speakers, and those whom the encoder heard, are "
        "promised nothing. The scale of the logits was not calibrated anew, so that probabilities tell more from less "
        "and not how likely. How many speakers there were is not hidden, how much each recorded is. Noise came from "
        "PyTorch's generator, seeded by the operating system; it is no cryptographer's."
    )


def _fine_tuning(about: dict[str, Any] | None) -> str:
    if not about:
        return ""
    spared = "; ".join(f"{corpus}: {len(speakers)} speakers" for corpus, speakers in sorted(about["held_out"].items()))
    return (
        f"\n\n## Fine-tuning of the encoder\n\nThe encoder itself was tuned with labels for {about['plan']['steps']} "
        f"steps. It never met the speakers that were held out ({spared}), and figures under *speakers held out* are of "
        "those speakers only."
    )


def _encoder(about: dict[str, Any] | None) -> str:
    if not about:
        return ""
    heard = ", ".join(f"{entry['corpus']} ({entry['recordings']})" for entry in about["corpora"])
    plan = about["plan"]
    hours = plan["steps"] * plan["seconds_per_batch"] / 3600
    began = "Began as the first layers, and was distilled from their states, of"
    start = began if about.get("started_as_teacher") else "Distilled from"
    return (
        f"\n\n## Training of the encoder\n\n{start} {about['teacher']}, without any label, on "
        f"recordings of {heard}: {plan['steps']} steps, {hours:.0f} hours of augmented audio. A recording may "
        "thus have been heard by the encoder, but in distillation no label of any speaker touched it."
    )


def _notes(training: dict[str, Any]) -> str:
    return f"\n\n## Note on the choice of this model\n\n{training['notes']}" if training.get("notes") else ""


def _figures(metrics: dict[str, Any]) -> str:
    if not metrics:
        return "## Figures\n\nNothing was measured about this model."
    header = ("test", "question", "system", "protocol", "raw", "within speaker", "personal baseline", "n", "speakers")
    rows = [
        (f["test"], f["task"], f["system"], f["protocol"], _number(f["auc"]), _number(f["within"]),
         _number(f["personal"]), f["n"], f["n_speakers"])
        for f in metrics["figures"]
    ]  # fmt: skip
    questions = "\n".join(f"- {name}: {words}" for name, words in WORDS.items())
    parts = [
        "## Figures\n\nArea under the ROC curve. *Speakers held out*: heads fitted without the speaker, six folds. "
        "*Never trained on*: the model as shipped, on a corpus that neither encoder nor heads learned from. "
        "*Labels never used*: the same, on a corpus whose speech was heard without its labels. *Taught by the other "
        "corpora* (or *languages*): heads fitted anew on every labelled corpus (of another language) but this one, "
        "and on none that is for testing only. *Within speaker*: mean over "
        "speakers. *Personal baseline*: all recordings, after each speaker's mean over half of their neutral "
        f"recordings was subtracted.\n\n{questions}\n\n" + table(header, rows)
    ]
    if groups := metrics.get("by_group"):
        grouped = [
            (g["by"], g["group"], g["test"], g["task"], g["protocol"], _number(g["auc"]), _number(g["within"]),
             g["n"], g["n_speakers"])
            for g in groups
        ]  # fmt: skip
        names = ("by", "group", "test", "question", "protocol", "raw", "within speaker", "n", "speakers")
        known = "Sex, age and language, where a corpus tells them, within each corpus: corpora differ in more."
        parts.append(f"### By group\n\n{known}\n\n" + table(names, grouped))
    return "\n\n".join(parts)


def _calibration(affect: dict[str, Any], metrics: dict[str, Any]) -> str:
    rarer = "depression" if "depression" in affect.get("training", {}) else "sadness"
    parts = [f"## Calibration of the depression head\n\nBoth classes weighted alike; {rarer} is rarer among patients."]
    for name, value in metrics.get("calibration", {}).items():
        bins = [(_number(b["said"]), _number(b["true"]), b["n"]) for b in value["reliability"]]
        parts.append(
            f"### {name}\n\nExpected calibration error {_number(value['ece_after'])} "
            f"({_number(value['ece_before'])} with temperature 1).\n\n"
            + table(("probability said", "share that was sad", "n"), bins)
        )
    return "\n\n".join(parts)


def _honesty(metrics: dict[str, Any]) -> str:
    cost = metrics.get("cost", {})
    lines = [f"- {name}: {value}" for name, value in cost.items()]
    for name, shares in metrics.get("coverage", {}).items():
        lines.append(f"- pairs of journals within 1.96 stated errors, {name} (0.95 would be honest): {shares}")
    lines += [f"- recordings without enough speech, {n}: {k}" for n, k in metrics.get("unscored", {}).items() if k]
    return "## Cost, and honesty of the stated errors\n\n" + "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"  # noqa: PLR0124 - NaN is not itself
