"""Lists every task in models.config and kserve.yaml: `python deploy/list_tasks.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
_MODELS_HEAD = """\
# What the server loads: one entry for each task, the folder of its versions.
# The newest version is served; to pin one, or to serve two side by side, see the README.
# Written by `python deploy/list_tasks.py`.
"""
_MODEL = '  config {{ name: "{0}" base_path: "/models/{0}" model_platform: "tensorflow" }}\n'
_SERVICES_HEAD = """\
# One InferenceService for each task. KServe's TensorFlow runtime is the stock TensorFlow Serving
# image. storageUri is the folder of the task's versions on storage that the cluster can read.
# Written by `python deploy/list_tasks.py`.
"""
_SERVICE = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: {name}
  labels:
    app.kubernetes.io/part-of: lstm-task-templates
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 4
    model:
      modelFormat:
        name: tensorflow
      protocolVersion: v1
      storageUri: pvc://models/{task}
      resources:
        requests: {{cpu: "1", memory: 1Gi}}
        limits: {{cpu: "2", memory: 2Gi}}
"""


def tasks() -> list[str]:
    """Returns the tasks of this repository, found by their folders."""
    return sorted(file.parent.name for file in (FOLDER.parent / "apps").glob("*/serving.py"))


def models_config(tasks: Sequence[str]) -> str:
    """Returns the text of models.config, which TensorFlow Serving reads."""
    entries = "".join(_MODEL.format(task) for task in tasks)
    return f"{_MODELS_HEAD}model_config_list {{\n{entries}}}\n"


def kserve(tasks: Sequence[str]) -> str:
    """Returns the text of kserve.yaml."""
    services = [_SERVICE.format(name=task.replace("_", "-"), task=task) for task in tasks]
    return _SERVICES_HEAD + "---\n".join(services)


if __name__ == "__main__":
    (FOLDER / "models.config").write_text(models_config(tasks()), encoding="utf-8")
    (FOLDER / "kserve.yaml").write_text(kserve(tasks()), encoding="utf-8")
