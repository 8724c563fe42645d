"""The registered model as MLflow loads it: this file is stored as text beside the weights, nothing is pickled.

``mlflow.pyfunc.load_model("models:/affect-wav2vec2@champion").predict(pd.DataFrame({"audio": [samples]}))``
gives one row a recording. The nightly run does not load models this way: it takes the weights,
checks their digest and uses `affect_pipeline.model.scorer.Scorer`, as does this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from affect_pipeline.model.provenance import verify_folder
from affect_pipeline.model.scorer import OUTPUT_COLUMNS, Scorer


class AffectModel(PythonModel):
    """Scores recordings: column ``audio`` holds mono 16 kHz prepared samples in [-1, 1]."""

    def load_context(self, context: Any) -> None:
        """Load the weights, after checking that they are those that were registered."""
        folder = Path(context.artifacts["model"])
        verify_folder(folder, context.model_config.get("digest"))
        self.scorer = Scorer(folder)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return one row of scores for each row of audio."""
        scores = self.scorer.score([np.asarray(audio, np.float32) for audio in model_input["audio"]])
        return pd.DataFrame({name: [getattr(score, name) for score in scores] for name in OUTPUT_COLUMNS})


mlflow.models.set_model(AffectModel())
