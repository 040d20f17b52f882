"""Exports of every task, made once for all tests that only read them."""

import pytest

from tests.apps import small_exports as exports


@pytest.fixture(scope="session")
def small_exports(tmp_path_factory):
    """Folder of folders of exports: `all` of them with `echo`, which is no task, and each alone."""
    return exports.shared(tmp_path_factory)


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    """Features and decoded frames of this module's tests are kept in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSTM_TASKS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def own_sets(own_cache, tmp_path_factory):
    """Data sets of this module's tests are prepared in a folder of their own too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        yield
