"""Values of settings that Airflow's secrets backend holds: a vault, a cloud's secret manager, a file.

``AFFECT_AIRFLOW_SECRETS`` names the settings; the value of ``warehouse_url`` is Airflow's variable
``affect_warehouse_url``. Where it is empty, Airflow is not even imported.
"""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from affect_pipeline.errors import SettingsError

SETTING = "airflow_secrets"
PREFIX = "affect_"


class AirflowSecrets(PydanticBaseSettingsSource):
    """A source of settings that asks Airflow for those that are named, and that the environment does not hold."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the variable of a field."""
        return variable(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values of all named settings.

        Raises
        ------
        SettingsError
            If a name is no setting, or Airflow has no such variable.
        """
        names = [name.strip().lower() for name in str(self.current_state.get(SETTING) or "").split(",")]
        wanted = [name for name in names if name and name not in self.current_state]
        fields = self.settings_cls.model_fields
        if unknown := sorted(set(filter(None, names)) - (set(fields) - {SETTING})):
            raise SettingsError(
                f"AFFECT_AIRFLOW_SECRETS names {', '.join(unknown)}: not settings. Write them as in "
                "pseudonym_secret,encryption_key,warehouse_url"
            )
        return {name: self.get_field_value(fields[name], name)[0] for name in wanted}


def variable(setting: str) -> str:
    """Return Airflow's variable for a setting, and have Airflow mask it in all logs.

    Airflow looks in its secrets backend (``[secrets] backend``), its environment, and, in tasks, its database.

    Raises
    ------
    SettingsError
        If it has none, or its backend cannot be reached.
    """
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.log import mask_secret

    key = PREFIX + setting
    try:
        value = str(Variable.get(key))
    except AirflowRuntimeError as error:
        raise SettingsError(
            f"AFFECT_AIRFLOW_SECRETS names {setting}, but Airflow gives no variable {key} ({error.error.error.value}): "
            "put it into the secrets backend, or mend [secrets] backend in Airflow's configuration"
        ) from None
    mask_secret(value)
    return value
