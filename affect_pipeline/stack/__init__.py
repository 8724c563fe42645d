"""The local stack: Airflow, PostgreSQL and MLflow on one machine; doctor and demo."""
