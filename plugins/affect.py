"""Airflow plugin: the care team's pages and API under ``/affect``, behind Airflow's login."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from affect_pipeline.serving.airflow import plugin_app


class AffectPlugin(AirflowPlugin):
    """Mounts `affect_pipeline.serving`, and puts it into Airflow's navigation."""

    name = "affect"
    fastapi_apps = [{"app": plugin_app(), "url_prefix": "/affect", "name": "Voice monitoring"}]  # noqa: RUF012 - Airflow's interface
    external_views = [  # noqa: RUF012 - Airflow's interface
        {"name": "Voice monitoring", "href": "/affect/", "destination": "nav", "url_route": "voice-monitoring"}
    ]
