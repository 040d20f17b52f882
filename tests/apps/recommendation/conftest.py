"""A finished run and its export, made once for all tests that only read them."""

import pytest

from apps.recommendation import export
from tests.apps.recommendation import small_run


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Folder of a run with the model `small_run.built(small_run.config())`."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    small_run.write(folder)
    return folder


@pytest.fixture(scope="session")
def exported(run, tmp_path_factory):
    """The version folder that `export` wrote and checked."""
    return export.export(run, tmp_path_factory.mktemp("exports"))
