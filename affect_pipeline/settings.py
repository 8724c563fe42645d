"""All settings of the pipeline, in one typed object.

Each field is read from the environment variable ``AFFECT_<NAME>`` (``AFFECT_HOME``,
``AFFECT_WAREHOUSE_URL``, ...). Secrets may also be given as files (`pseudonym_secret_file`), or come from Airflow's
secrets backend (`airflow_secrets`).
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from affect_pipeline.airflow_secrets import AirflowSecrets
from affect_pipeline.errors import SettingsError

SECRET_BYTES = 32


class Settings(BaseSettings):
    """Settings of one installation; immutable once read."""

    model_config = SettingsConfigDict(env_prefix="AFFECT_", frozen=True, extra="ignore")

    home: Path = Field(
        default=Path(".affect"),
        description="Folder that holds all local state: embedded PostgreSQL, audio, work files, secrets, logs.",
    )
    landing_url: str = Field(
        default="",
        description="Landing zone of new journals, any fsspec URL (folder, s3://...). Empty: <home>/landing.",
    )
    warehouse_url: str = Field(
        default="",
        description="PostgreSQL URL of the warehouse (postgresql://user:password@host/db). Empty: the embedded server.",
    )
    mlflow_uri: str = Field(
        default="",
        description="MLflow tracking and registry URI. Empty: database `mlflow` on the embedded server.",
    )
    model_name: str = Field(default="affect-wav2vec2", description="Name of the registered model in MLflow.")
    model_alias: str = Field(default="champion", description="Registry alias that nightly scoring loads.")
    pseudonym_secret: SecretStr | None = Field(
        default=None,
        description="Secret of the patient pseudonyms (HMAC-SHA256). Unset: read from the secret file.",
    )
    pseudonym_secret_file: Path | None = Field(
        default=None,
        description="File with the secret of the pseudonyms. Unset: <home>/secrets/pseudonym.key, made on first use.",
    )
    encrypt_audio: bool = Field(
        default=False,
        description="Encrypt collected and prepared audio at rest: AES-256-GCM, a key a patient. Old files: "
        "`affect privacy encrypt`.",
    )
    encryption_key: SecretStr | None = Field(
        default=None,
        description="Master key that wraps the patients' keys of encrypted audio. Unset: read from its file.",
    )
    encryption_key_file: Path | None = Field(
        default=None,
        description="File with the master key of encrypted audio. Unset: <home>/secrets/encryption.key, made on first "
        "use.",
    )
    airflow_secrets: str = Field(
        default="",
        description="Settings that Airflow's secrets backend holds as variables affect_<setting>, comma-separated, for "
        "instance pseudonym_secret,warehouse_url. The environment comes first. Empty: Airflow is not asked.",
    )
    model_public_key_file: Path | None = Field(
        default=None,
        description="Elliptic-curve public key (PEM). If set, only models signed by its owner are scored with.",
    )
    live_engine: Literal["auto", "pytorch", "onnx"] = Field(
        default="auto",
        description="What live analysis runs the model on. auto: ONNX, if `affect model export --onnx` wrote it and it "
        "is faster here, tried at start-up. Nights always use PyTorch.",
    )
    keep_audio_days: int = Field(
        default=0, ge=0, description="Days after its night that a recording is kept; 0 keeps it until it is erased."
    )
    keep_work_days: int = Field(
        default=30, ge=0, description="Days after its last night that the files of a run are kept; 0 keeps them."
    )
    keep_patient_days: int = Field(
        default=0,
        ge=0,
        description="Days after a patient's last journal that anything is kept about the patient; 0 keeps it.",
    )
    erase_after_withdrawal: bool = Field(
        default=False,
        description="Erase a patient whose consent was withdrawn with the next housekeeping, not only stop collecting.",
    )
    max_journal_bytes: int = Field(
        default=100_000_000, gt=0, description="Largest audio file that is taken in, in bytes."
    )
    max_journal_s: float = Field(default=900.0, gt=0, description="Longest recording that is analysed, in seconds.")
    max_failed_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of a night's journals that may fail quality checks before the run stops loudly.",
    )
    min_journals_for_gate: int = Field(
        default=8, ge=1, description="Nights with fewer journals than this are never stopped by the quality gate."
    )
    journals_per_shard: int = Field(default=200, ge=1, description="Journals that one mapped task handles, about.")
    max_shards: int = Field(default=64, ge=1, le=1024, description="Largest number of shards a run is cut into.")
    baseline_days: int = Field(default=28, ge=7, description="Length of a personal baseline, in days.")
    baseline_min_days: int = Field(default=14, ge=5, description="Day values a baseline needs before charts judge.")
    false_alarms_per_patient_90d: float = Field(
        default=0.10, gt=0, lt=1, description="Share of unchanged patients who get a false alarm within 90 days."
    )
    alert_budget: int = Field(
        default=10,
        ge=1,
        description="Patients with new alerts a care team can look at in a day; more are ranked, none is dropped.",
    )
    alert_budgets: str = Field(
        default="",
        pattern=r"^\s*([^=,]+=\s*[1-9]\d*\s*(,\s*[^=,]+=\s*[1-9]\d*\s*)*)?$",
        description="Other budgets for single care teams (clinics), for instance north=5,south=20.",
    )
    notify_urls: str = Field(
        default="", description="Apprise URLs that are told of new alerts, comma-separated. Empty: nobody."
    )
    fhir_url: str = Field(
        default="",
        description="Base URL of a FHIR R4 server that nightly runs bring up to date, https://... Empty: none.",
    )
    fhir_token: SecretStr | None = Field(
        default=None, description="Bearer token of the FHIR server. Unset: read from AFFECT_FHIR_TOKEN_FILE, if given."
    )
    fhir_token_file: Path | None = Field(
        default=None, description="File with the bearer token of the FHIR server; read anew for every push."
    )
    fhir_minutes: int = Field(
        default=30,
        ge=1,
        description="Minutes that a nightly run spends on the FHIR server; the next goes on from there.",
    )
    fhir_patient_system: str = Field(
        default="",
        description="System of the identifier that names patients in FHIR questionnaires as the landing zone does. "
        "Empty: the only identifier there is.",
    )
    nightly_deadline_minutes: int = Field(
        default=240, ge=1, description="Minutes after which a night that is still running raises a deadline alert."
    )
    gpu_image: str = Field(
        default="",
        description="Container image of tasks that ask Kubernetes for a GPU. Empty: that of all other tasks.",
    )
    threads: int = Field(default=0, ge=0, description="Compute threads of one task; 0 means all cores.")
    tasks_at_once: int = Field(
        default=1,
        ge=1,
        description="Measure or score tasks that share the cores of this machine; each takes its share of them.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say where values come from: what is passed, then the environment, then Airflow."""
        return init_settings, env_settings, AirflowSecrets(settings_cls)

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    def alert_budget_of(self, clinic: str | None) -> int:
        """Return the patients with new alerts that the care team of a clinic can look at in a day."""
        pairs = (pair.split("=") for pair in self.alert_budgets.split(",") if pair.strip())
        return {name.strip(): int(number) for name, number in pairs}.get(clinic or "", self.alert_budget)

    @property
    def landing(self) -> str:
        """Landing zone URL, with the default filled in."""
        return self.landing_url or str(self.home / "landing")

    @property
    def postgres_dir(self) -> Path:
        """Data directory of the embedded PostgreSQL server."""
        return self.home / "postgres"

    @property
    def raw_dir(self) -> Path:
        """Collected recordings, named by the SHA-256 of their content."""
        return self.home / "raw"

    @property
    def work_dir(self) -> Path:
        """Files that the stages of a run hand to one another."""
        return self.home / "work"

    @property
    def docs_dir(self) -> Path:
        """Great Expectations Data Docs."""
        return self.home / "data-docs"

    def pseudonym_key(self) -> bytes:
        """Return the secret of the pseudonyms, making the secret file on first use.

        Returns
        -------
        bytes
            At least 16 bytes.

        Raises
        ------
        SettingsError
            If the secret is shorter than 16 characters.
        """
        return _secret(
            self.pseudonym_secret,
            self.pseudonym_secret_file,
            self.home / "secrets" / "pseudonym.key",
            "AFFECT_PSEUDONYM_SECRET",
        )

    def master_key(self) -> bytes:
        """Return the master key of encrypted audio, making its file on first use.

        Raises
        ------
        SettingsError
            If it is shorter than 16 characters, or its file is missing.
        """
        return _secret(
            self.encryption_key,
            self.encryption_key_file,
            self.home / "secrets" / "encryption.key",
            "AFFECT_ENCRYPTION_KEY",
        )

    def bearer_token(self) -> str | None:
        """Return the token of the FHIR server; None if there is none.

        Raises
        ------
        SettingsError
            If its file is missing.
        """
        if self.fhir_token is not None and (given := self.fhir_token.get_secret_value()):
            return given
        if self.fhir_token_file is None:
            return None
        try:
            return self.fhir_token_file.read_text().strip()
        except OSError as error:
            raise SettingsError(f"AFFECT_FHIR_TOKEN_FILE names {self.fhir_token_file}, which cannot be read") from error


def _secret(given: SecretStr | None, file: Path | None, usual_file: Path, setting: str) -> bytes:
    if given is not None:
        return _checked(given.get_secret_value(), setting)
    path = file or usual_file
    if not path.exists():
        if file is not None:
            raise SettingsError(f"{setting}_FILE names {path}, which does not exist")
        _write_new_secret(path)
    return _checked(path.read_text().strip(), f"{setting}_FILE")


def _checked(secret: str, setting: str) -> bytes:
    if len(secret) < 16:
        raise SettingsError(f"{setting} holds {len(secret)} characters; a secret needs at least 16")
    return secret.encode()


def _write_new_secret(path: Path) -> None:
    """Write a random secret, atomically: of two processes at once, both end with the same one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    temporary.touch(mode=0o600)
    temporary.write_text(secrets.token_hex(SECRET_BYTES))
    try:
        with suppress(FileExistsError):  # another process was first; its secret is the one that counts
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read from the environment once."""
    return Settings()
