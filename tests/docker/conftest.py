"""The DAGs, whose queues the workers serve."""

from __future__ import annotations

from tests.dags.conftest import dag_facts, dags

__all__ = ["dag_facts", "dags"]
