"""Tasks that hold the model ask for a GPU on Kubernetes, and for nothing elsewhere."""

from __future__ import annotations

import pytest

from affect_pipeline.placement import gpu_executor_config, on_kubernetes
from affect_pipeline.settings import Settings


@pytest.mark.parametrize("executor", ["LocalExecutor", "CeleryExecutor", "LocalExecutor,CeleryExecutor"])
def test_other_executors_are_asked_for_nothing(executor: str) -> None:
    assert gpu_executor_config(Settings(), executor) == {}


@pytest.mark.parametrize(
    "executor", ["KubernetesExecutor", "LocalExecutor,KubernetesExecutor", "clinic:KubernetesExecutor"]
)
def test_the_kubernetes_executor_is_recognised(executor: str) -> None:
    assert on_kubernetes(executor)


def test_on_kubernetes_the_pod_asks_for_one_gpu_in_the_image_of_the_settings() -> None:
    pytest.importorskip("kubernetes", reason="the extra `kubernetes` is not installed")

    pod = gpu_executor_config(Settings(gpu_image="registry.example.org/affect:cuda"), "KubernetesExecutor")[
        "pod_override"
    ]

    (container,) = pod.spec.containers
    assert container.name == "base"
    assert container.image == "registry.example.org/affect:cuda"
    assert container.resources.limits == {"nvidia.com/gpu": "1"}
    assert container.resources.requests == {"nvidia.com/gpu": "1"}
    assert pod.spec.tolerations[0].key == "nvidia.com/gpu"
