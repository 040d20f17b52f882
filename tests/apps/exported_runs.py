"""Fixtures of a finished run and of its export, made once for all tests that only read them."""

import importlib

import pytest


def run_of(task, **sizes):
    """Returns a fixture: the folder that the task's `small_run.write` made a finished run."""

    @pytest.fixture(scope="session")
    def run(tmp_path_factory):
        folder = tmp_path_factory.mktemp("runs") / "small"
        importlib.import_module(f"tests.apps.{task}.small_run").write(folder, **sizes)
        return folder

    return run


def export_of(task, run="run"):
    """Returns a fixture: the version folder that `export` wrote of another fixture's run."""

    @pytest.fixture(scope="session")
    def exported(request, tmp_path_factory):
        command = importlib.import_module(f"apps.{task}.export")
        return command.export(request.getfixturevalue(run), tmp_path_factory.mktemp("exports"))

    return exported
