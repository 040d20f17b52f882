import collections
import dataclasses

import numpy as np

from apps.recommendation import batches
from apps.recommendation import config as configs
from tests.apps.recommendation.test_example_batches import histories

ROWS, WINDOW = 4, 3


def steps(train, count, first_step=0, seed=0):
    made = configs.PRESETS["tiny"]
    settings = dataclasses.replace(
        made.training, batches="session_parallel", batch_size=ROWS, window_items=WINDOW
    )
    stream = batches.endless_sessions(
        train, dataclasses.replace(made, seed=seed, training=settings), first_step
    )
    return [
        (inputs["history"], inputs["fresh"], targets)
        for inputs, targets in stream.take(count).as_numpy_iterator()
    ]


LENGTHS = [2, 3, 4, 5, 8, 20, 1, 4, 7, 11]  # 1 + 1 + 1 + 2 + 3 + 7 + 0 + 1 + 2 + 4 windows
WINDOWS, STEPS_A_PASS = 22, 6


def test_each_event_but_the_first_is_a_target_once_a_pass():
    train = histories(LENGTHS)
    wanted = collections.Counter(
        {1000 * (at + 1) + place: 3 for at, n in enumerate(LENGTHS) for place in range(1, n)}
    )
    found = collections.Counter(
        int(target)
        for _, _, targets in steps(train, 3 * STEPS_A_PASS)
        for target in targets[targets > 0]
    )
    assert found == wanted


def test_a_row_that_is_not_fresh_goes_on_where_it_stopped_and_a_fresh_one_does_not_need_to():
    train = histories(LENGTHS)
    last = np.zeros(ROWS, np.int64)
    carried = 0
    for at, (history, fresh, targets) in enumerate(steps(train, 4 * STEPS_A_PASS)):
        assert fresh.all() or at % STEPS_A_PASS
        for row in range(ROWS):
            filled = history[row] > 0
            assert (targets[row][filled] == history[row][filled] + 1).all()
            assert ((targets[row] > 0) == filled).all()
            if not fresh[row]:
                carried += 1
                assert history[row, 0] == last[row]  # the target of the window before it
            elif filled.any() and at % STEPS_A_PASS:
                assert history[row, 0] % 1000 == 0  # a history's first event
            last[row] = targets[row].max()
    assert carried > 10


def test_a_step_is_a_function_of_the_seed_and_its_number_alone():
    train = histories(LENGTHS)
    whole = steps(train, 15)
    for found, wanted in zip(steps(train, 6, first_step=9), whole[9:], strict=True):
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
    assert any((a[0] != b[0]).any() for a, b in zip(whole, steps(train, 15, seed=1), strict=True))
