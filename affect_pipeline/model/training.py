"""The whole training that a command or the DAG asks for: acted moods teach some heads, questionnaires others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.depression.experts import DepressionPlan
from affect_pipeline.model.depression.report import write_evaluation
from affect_pipeline.model.depression.train import DepressionTrained, split_clinical, train_depression
from affect_pipeline.model.encoder import AffectiveEncoder
from affect_pipeline.model.train import Trained, TrainPlan, has_answer, train


@dataclass(frozen=True)
class Asked:
    """How heads are trained: those that acted moods teach, and those that questionnaires do."""

    heads: TrainPlan = field(default_factory=TrainPlan)
    depression: DepressionPlan = field(default_factory=DepressionPlan)


@dataclass(frozen=True)
class TrainedModel:
    """What came out: of the acted corpora, of the interviews, or of both, and the model whose encoder was used."""

    source: Path
    acted: Trained | None
    clinical: DepressionTrained | None
    tuned: bool

    @property
    def encoder(self) -> AffectiveEncoder:
        """The model with all its heads."""
        chosen = self.clinical or self.acted
        assert chosen is not None
        return chosen.encoder

    def save(self, folder: Path) -> None:
        """Write the model folder.

        Where only the depression head is new, ``evaluation.json`` too: what was measured of the others holds.
        """
        if self.clinical is None:
            self.encoder.save(folder)
            return
        self.clinical.save(folder)
        if self.acted is None and not self.tuned:
            write_evaluation(self.source, folder, self.clinical)


def train_model(
    source: Path,
    corpora: Sequence[Sequence[Recording]],
    asked: Asked,
    work: Path | None = None,
    done: Callable[[], None] | None = None,
    encoder: AffectiveEncoder | None = None,
) -> TrainedModel:
    """Fit heads on whatever corpora are given.

    Parameters
    ----------
    source : Path
        A model folder.
    corpora : sequence of sequences of Recording
        Those with questionnaires teach the depression head; all others, if any is labelled, every head before that.
    asked : Asked
        How.
    work : Path, optional
        Keeps embeddings between runs.
    done : callable, optional
        Called after each recording.
    encoder : AffectiveEncoder, optional
        The source with a tuned encoder, instead of as it is.

    Raises
    ------
    CorpusError
        If there is nothing to learn from.
    """
    start = encoder or AffectiveEncoder.load(source)
    acted, interviews = split_clinical(corpora)
    trained = None
    if not interviews or any(has_answer(r) for corpus in acted for r in corpus):
        trained = train(start, acted, asked.heads, work, done)
        start = trained.encoder
    clinical = train_depression(start, interviews, asked.depression, work, done) if interviews else None
    return TrainedModel(source, trained, clinical, tuned=encoder is not None)
