"""The stages of a night: one function each, called by one Airflow task each."""
