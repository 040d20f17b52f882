import collections
import dataclasses

import numpy as np
import pytest

from apps.recommendation import batches, data
from apps.recommendation import config as configs
from apps.recommendation.histories import Histories
from apps.suite import errors

ROWS, WINDOW = 8, 5


def histories(lengths):
    """Histories in which an item's code tells its history and its place there."""
    items = [1000 * (at + 1) + place for at, count in enumerate(lengths) for place in range(count)]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return Histories(np.array(items, np.int32), None, starts)


def config(seed=0):
    made = configs.PRESETS["tiny"]
    return dataclasses.replace(
        made,
        seed=seed,
        model=dataclasses.replace(made.model, history_items=WINDOW),
        training=dataclasses.replace(made.training, batch_size=ROWS),
    )


def steps(train, count, first_step=0, seed=0):
    stream = batches.endless(train, config(seed), first_step)
    return [
        (inputs["history"], targets) for inputs, targets in stream.take(count).as_numpy_iterator()
    ]


def test_every_target_is_what_follows_in_the_same_history_and_padding_is_behind():
    train = histories([1, 2, 5, 6, 7, 30])
    for history, targets in steps(train, 20):
        assert history.shape == targets.shape == (ROWS, WINDOW)
        assert history.dtype == targets.dtype == np.int32
        assert ((history > 0) == (targets > 0)).all()
        assert (targets[history > 0] == history[history > 0] + 1).all()
        assert (history[:, 0] > 0).all()
        assert (np.diff((history > 0).astype(int), axis=1) <= 0).all()
        within = history[:, 1:] > 0
        assert (history[:, 1:][within] == targets[:, :-1][within]).all()


def test_short_histories_come_whole_once_a_pass_and_long_ones_by_their_length():
    lengths = [2] * 5 + [6] * 6 + [16] * 4 + [1] * 7  # 5 + 6 + 4 * 3 rows a pass
    train = histories(lengths)
    passes, rows = 8, 23
    visits = collections.Counter(
        row[0] // 1000 - 1 for history, _ in steps(train, passes * rows // ROWS) for row in history
    )
    assert visits == {at: passes * -(-(n - 1) // WINDOW) for at, n in enumerate(lengths) if n > 1}


def test_every_event_of_a_long_history_is_a_target_about_equally_often():
    train = histories([41])
    counted = collections.Counter(
        int(target) for _, targets in steps(train, 100) for target in targets.ravel()
    )
    found = np.array([counted[1000 + place] for place in range(1, 41)])
    assert found.min() > 0.4 * found.mean()
    assert found.max() < 2 * found.mean()


def test_a_step_is_a_function_of_the_seed_and_its_number_alone():
    train = histories([2, 9, 30, 4, 12])
    whole = steps(train, 12)
    for found, wanted in zip(steps(train, 5, first_step=7), whole[7:], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert any((a[0] != b[0]).any() for a, b in zip(whole, steps(train, 12, seed=1), strict=True))


def test_another_pass_has_another_order():
    train = histories([2] * 16)  # two steps a pass
    found = [history[:, 0].tolist() for history, _ in steps(train, 4)]
    assert sorted(found[0] + found[1]) == sorted(found[2] + found[3])
    assert found[0] + found[1] != found[2] + found[3]


def test_histories_without_a_next_item_are_refused():
    with pytest.raises(errors.UserError, match="no history has two events in the train part"):
        steps(histories([1, 1]), 1)


def test_the_config_says_which_batches_they_are():
    train = histories([4] * 10)

    class OfTrain:
        """The part of a dataset that batches read."""

        def __init__(self):
            self.train = train

    for kind, inputs in (("padded", {"history"}), ("session_parallel", {"history", "fresh"})):
        made = config()
        made = dataclasses.replace(made, training=dataclasses.replace(made.training, batches=kind))
        assert data.batches(OfTrain(), made).element_spec[0].keys() == inputs
