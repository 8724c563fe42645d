"""Every error the package raises on purpose, in one tree.

::

    AffectError
    ├── SettingsError            a setting is missing or wrong; names the setting
    ├── UnavailableError         something outside cannot be reached; names the setting that points there
    │   ├── WarehouseUnavailable
    │   ├── RegistryUnavailable
    │   └── LandingZoneUnavailable
    ├── JournalError             one recording cannot be used; carries a short machine-readable reason
    │   ├── SidecarError
    │   ├── QuestionnaireError
    │   └── DecodeError
    ├── DecoderUnavailable       no decoder process can be started
    ├── QualityGateError         too large a share of a night failed its quality checks
    ├── QuarantineError          a recording cannot be let out of quarantine
    ├── ModelError               a model is refused
    │   ├── DigestMismatch
    │   ├── SignatureRefused
    │   ├── UnsafeModel
    │   └── GateFailed
    ├── BudgetSpent              the privacy budget does not cover a release
    ├── AccessDenied             a person may not look into the warehouse
    ├── LoadError                rows do not fit the warehouse table they were offered to
    ├── MigrationError           the warehouse schema and the migrations on disk do not agree
    ├── CorpusError              a corpus folder does not look like what it was said to be
    └── StackError               the local stack could not be started or is already running

A message says what was wrong, where, and what would have been right.
"""

from __future__ import annotations


class AffectError(Exception):
    """Base of all errors raised on purpose by affect-pipeline."""


class SettingsError(AffectError):
    """A setting is missing or has a value that cannot work."""


class UnavailableError(AffectError):
    """Something outside the process cannot be reached.

    Parameters
    ----------
    what : str
        What could not be reached, in words, without credentials.
    setting : str
        The environment variable that points there.
    detail : str
        What the attempt said.
    """

    def __init__(self, what: str, setting: str, detail: str = "") -> None:
        self.what, self.setting, self.detail = what, setting, detail
        tail = f": {detail}" if detail else ""
        super().__init__(f"{what} cannot be reached{tail}. Check {setting}, or run `affect doctor`.")


class WarehouseUnavailable(UnavailableError):
    """The PostgreSQL warehouse cannot be reached (``AFFECT_WAREHOUSE_URL``)."""


class RegistryUnavailable(UnavailableError):
    """The MLflow registry cannot be reached (``AFFECT_MLFLOW_URI``)."""


class LandingZoneUnavailable(UnavailableError):
    """The landing zone cannot be listed (``AFFECT_LANDING_URL``)."""


class JournalError(AffectError):
    """One recording cannot be used; the rest of the night goes on.

    Parameters
    ----------
    reason : str
        A short machine-readable reason in snake case, for instance ``not_audio``.
    detail : str
        The same for a person. It never holds a source patient id or a file name.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class SidecarError(JournalError):
    """The sidecar JSON is missing, malformed or says something impossible."""


class QuestionnaireError(JournalError):
    """The answers to a questionnaire are malformed or say something impossible; the recording is none the worse."""


class DecodeError(JournalError):
    """The audio cannot be decoded, or breaks a limit on size, duration or format."""


class DecoderUnavailable(AffectError):
    """No decoder process can be started; that is no fault of any recording."""


class QualityGateError(AffectError):
    """Too large a share of a night failed its quality checks."""


class QuarantineError(AffectError):
    """A recording cannot be let out of quarantine."""


class ModelError(AffectError):
    """A model is refused."""


class DigestMismatch(ModelError):
    """The weights on disk are not the ones that were registered."""


class SignatureRefused(ModelError):
    """The model is not signed by whom the settings trust."""


class UnsafeModel(ModelError):
    """The model could run code when it is loaded (a pickle, or code of its own)."""


class GateFailed(ModelError):
    """The model's gate metrics are worse than the champion's."""


class BudgetSpent(AffectError):
    """The privacy budget does not cover a release, or there is none; nothing was computed."""


class AccessDenied(AffectError):
    """A person is not known, or may not do this."""


class LoadError(AffectError):
    """Rows do not fit the warehouse table they were offered to."""


class MigrationError(AffectError):
    """The warehouse schema and the migrations on disk do not agree."""


class CorpusError(AffectError):
    """A corpus folder does not look like what it was said to be."""


class StackError(AffectError):
    """The local stack could not be started, or one is already running in this home."""
