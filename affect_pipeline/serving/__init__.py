"""The care team's window: live analysis, trends, alerts, and the counselor dashboard.

`create_app` in `app` builds one FastAPI application. ``affect serve`` runs it alone with its own
login; `airflow.plugin_app` gives the same application to Airflow, behind Airflow's login.
"""
