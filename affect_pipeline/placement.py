"""Where tasks run: queues of Celery workers, and pods of Kubernetes.

Imported whenever Airflow parses a DAG file, so nothing heavy may be imported here. On the local stack, whose
executor knows neither queues nor pods, all of this is ignored.
"""

from __future__ import annotations

import os
from typing import Any

from affect_pipeline.settings import Settings

CPU_QUEUE, GPU_QUEUE = "cpu", "gpu"
"""Queues: workers of the second have an accelerator, and take one task at a time."""

GPU_RESOURCE = "nvidia.com/gpu"
KUBERNETES = "KubernetesExecutor"


def on_kubernetes(executor: str) -> bool:
    """Tell whether Airflow's setting ``[core] executor`` names the KubernetesExecutor, alone or among others."""
    return any(name.strip().endswith(KUBERNETES) for name in executor.replace(":", ",").split(","))


def configured_executor() -> str:
    """Return Airflow's setting ``[core] executor``."""
    from airflow.sdk.configuration import conf

    return str(conf.get("core", "executor"))


def gpu_executor_config(settings: Settings, executor: str) -> dict[str, Any]:
    """Return the ``executor_config`` of tasks that hold the model.

    Parameters
    ----------
    settings : Settings
        Names the image with CUDA, if it is another one.
    executor : str
        Airflow's setting ``[core] executor``.

    Returns
    -------
    dict
        On Kubernetes a pod that asks for one GPU; elsewhere nothing.
    """
    if not on_kubernetes(executor):
        return {}
    from kubernetes.client import models as k8s

    resources = k8s.V1ResourceRequirements(limits={GPU_RESOURCE: "1"}, requests={GPU_RESOURCE: "1"})
    # The container that Airflow runs a task in is called "base".
    container = k8s.V1Container(name="base", image=settings.gpu_image or None, resources=resources)
    toleration = k8s.V1Toleration(key=GPU_RESOURCE, operator="Exists", effect="NoSchedule")
    return {"pod_override": k8s.V1Pod(spec=k8s.V1PodSpec(containers=[container], tolerations=[toleration]))}


def threads_of(settings: Settings, n_shards: int) -> int:
    """Return how many threads a task of one of so many shards takes: its share of the cores that it may use.

    A run of fewer shards than the machine takes tasks leaves none of the cores idle.
    """
    sharing = min(settings.tasks_at_once, max(n_shards, 1))
    return settings.threads or max(1, len(os.sched_getaffinity(0)) // sharing)
