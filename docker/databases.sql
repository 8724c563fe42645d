-- Runs once, when the server of docker/compose.yaml is made: databases beside that of the warehouse.
CREATE DATABASE airflow;
CREATE DATABASE mlflow;
