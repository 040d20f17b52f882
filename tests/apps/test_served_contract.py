"""The export of every task answers the signatures of the task's table, and no others."""

import pytest

from tests.apps import served_contract, task_folders


@pytest.mark.slow
@pytest.mark.parametrize("task", task_folders.TASKS)
def test_the_export_has_the_signatures_of_the_table(task, small_exports):
    version = small_exports / "all" / task / "1"
    assert not list(served_contract.differences(version, served_contract.table(task)))
