"""The files of deploy/ are what TensorFlow Serving, compose and KServe read, and name our tasks.

A new task appears in them by `python deploy/list_tasks.py`; until then they serve the others.
"""

import runpy
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tests.apps.task_folders import TASKS

DEPLOY = Path(__file__).parents[1] / "deploy"


LISTING = runpy.run_path(str(DEPLOY / "list_tasks.py"))


def listed():
    """The tasks that models.config names, all of them tasks of ours."""
    text = (DEPLOY / "models.config").read_text()
    read = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    names = [each.name for each in read.model_config_list.config]
    assert names
    assert set(names) <= set(TASKS)
    return names


def test_the_tasks_are_found_by_their_folders():
    assert LISTING["tasks"]() == sorted(TASKS)


def test_the_files_are_those_that_the_listing_writes():
    assert (DEPLOY / "models.config").read_text() == LISTING["models_config"](listed())
    assert (DEPLOY / "kserve.yaml").read_text() == LISTING["kserve"](listed())


def test_the_server_is_told_of_every_task():
    text = LISTING["models_config"](TASKS)
    read = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    models = {each.name: each for each in read.model_config_list.config}
    assert sorted(models) == sorted(TASKS)
    for name, each in models.items():
        assert each.base_path == f"/models/{name}"
        assert each.model_platform == "tensorflow"


def test_rows_are_never_padded_by_the_server():
    settings = (DEPLOY / "batching.config").read_text()
    assert "pad_variable_length_inputs: false" in settings


def test_compose_mounts_what_its_command_names():
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["serving"]
    assert ".:/config:ro" in service["volumes"]
    named = [part.rpartition("=")[2] for part in service["command"] if "/config/" in part]
    assert len(named) == 2
    for path in named:
        assert (DEPLOY / Path(path).name).is_file()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_every_task_is_a_service_of_the_cluster():
    services = list(yaml.safe_load_all(LISTING["kserve"](TASKS)))
    models = [each["spec"]["predictor"]["model"] for each in services]
    assert sorted(each["storageUri"].rpartition("/")[2] for each in models) == sorted(TASKS)
    assert {each["modelFormat"]["name"] for each in models} == {"tensorflow"}
    assert {each["apiVersion"] for each in services} == {"serving.kserve.io/v1beta1"}


@pytest.mark.parametrize("file", ["models.config", "batching.config", "monitoring.config"])
def test_a_file_that_compose_mounts_is_told_of_in_the_readme(file):
    assert f"`{file}`" in (DEPLOY / "README.md").read_text()
