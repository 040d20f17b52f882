import numpy as np

from apps.text_generation import model
from tests.apps.text_generation import small_run

WINDOWS, ROWS = 4, 6


def test_each_row_begins_anew_once_in_so_many_windows_and_rows_take_turns():
    callback = model.FreshStarts(WINDOWS, steps_per_checkpoint=10)
    kept = np.stack([callback.kept(step, ROWS) for step in range(3 * WINDOWS)])
    np.testing.assert_array_equal((kept == 0).sum(axis=0), np.full(ROWS, 3))
    for row in kept.T:
        np.testing.assert_array_equal(np.diff(np.flatnonzero(row == 0)), [WINDOWS, WINDOWS])
    assert (kept == 0).sum(axis=1).max() <= -(-ROWS // WINDOWS)


def test_only_the_states_of_those_rows_are_emptied_and_the_step_counts_over_epochs():
    network = model.build(small_run.config(batch_size=ROWS), vocabulary_size=7)
    callback = model.FreshStarts(WINDOWS, steps_per_checkpoint=10)
    callback.set_model(network)
    states = network.states
    for step in (9, 10, 23):
        for state in states:
            state.assign(np.ones(state.shape))
        callback.on_epoch_begin(step // 10)
        callback.on_train_batch_begin(step % 10)
        for state in states:
            expected = np.repeat(callback.kept(step, ROWS)[:, None], state.shape[1], axis=1)
            np.testing.assert_array_equal(state.numpy(), expected)
    assert not np.array_equal(callback.kept(9, ROWS), callback.kept(10, ROWS))


def test_fit_calls_it_before_every_step():
    steps = set()

    class Recorded(model.FreshStarts):
        def kept(self, step, rows):
            steps.add(step)
            return super().kept(step, rows)

    network = model.build(small_run.config(batch_size=ROWS), vocabulary_size=7)
    network.compile("sgd")
    tokens = np.random.default_rng(0).integers(7, size=(4 * ROWS, 5))
    callback = Recorded(WINDOWS, steps_per_checkpoint=4)
    network.fit(
        tokens, tokens, batch_size=ROWS, epochs=2, shuffle=False, verbose=0, callbacks=[callback]
    )
    assert steps == set(range(8))
