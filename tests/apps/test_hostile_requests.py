"""No request ends or chokes a process that serves an export of any task, however wrong it is.

Each signature of each task's table is asked in a process of its own, with empty batches, sides of
every length, numbers from the ends of their types, NaN and infinities, texts that are not UTF-8,
and files whose headers lie: it answers, or it refuses, within bounds of memory and time.
"""

import collections
import functools

import pytest

from tests.apps import hostile_requests, served_contract, task_folders


@functools.cache
def outcomes(version):
    return list(hostile_requests.outcomes(version))


@pytest.mark.slow
@pytest.mark.parametrize("task", task_folders.TASKS)
def test_every_request_is_answered_or_refused_in_bounded_memory(task, small_exports):
    asked = collections.defaultdict(list)
    for outcome in outcomes(small_exports / "all" / task / "1"):
        asked[outcome.signature].append(outcome)
    wanted = served_contract.table(task)
    assert asked.keys() >= {name for name, each in wanted.items() if not each.optional}
    for signature, found in asked.items():
        assert found[0].kind == "answer", f"{signature} refuses a valid request"
        assert {"answer", "error"} <= {each.kind for each in found}, signature
        unbounded = [each for each in found if not each.is_bounded]
        assert not unbounded, "\n".join(map(str, unbounded[:10]))


@pytest.mark.slow
@pytest.mark.parametrize("task", task_folders.TASKS)
def test_an_infinite_number_is_refused_in_words_that_name_its_input(task, small_exports):
    table = served_contract.table(task)
    for outcome in outcomes(small_exports / "all" / task / "1"):
        name, _, wrong = outcome.wrong.partition(": ")
        described = table[outcome.signature].inputs.get(name, "[…]")
        # An option may be infinite, as a temperature may
        if "inf " in wrong and "[…]" not in described:
            assert outcome.kind == "error", outcome
            assert name in outcome.message, outcome
