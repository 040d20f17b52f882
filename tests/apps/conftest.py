"""Exports of every task, made once for all tests that only read them."""

import pytest

from tests.apps import small_exports as exports


@pytest.fixture(scope="session")
def small_exports(tmp_path_factory):
    """Folder of folders of exports: `all` of them with `echo`, which is no task, and each alone."""
    return exports.shared(tmp_path_factory)
