"""Everything that the next step depends on is taken, and put back only where it belongs."""

import pathlib

import keras
import numpy as np
import pytest

from apps.suite import errors
from apps.suite.training import checkpoints

SOURCE = pathlib.Path("00000004.checkpoint")


def recurrent_model(units=3):
    keras.utils.set_random_seed(0)
    wrapped = keras.layers.Bidirectional(keras.layers.LSTM(units, stateful=True, dropout=0.5))
    return keras.Sequential([keras.Input((4, 2), batch_size=2), wrapped, keras.layers.Dense(1)])


def compiled(units=3):
    model = recurrent_model(units)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_seeds_and_the_states_of_wrapped_layers_are_among_the_variables():
    model = recurrent_model()
    found = checkpoints.variables(model)
    assert len({id(variable) for variable in found}) == len(found)
    wrapper = model.layers[0]
    states = [*wrapper.forward_layer.states, *wrapper.backward_layer.states]
    wanted = {id(variable) for variable in [*model.variables, *states]}
    assert {id(variable) for variable in found} == wanted
    assert len(states) == 4
    assert any("seed" in variable.path for variable in found)


def test_the_next_steps_are_those_that_would_have_come():
    x, y = np.ones((2, 4, 2), np.float32), np.ones((2, 1), np.float32)
    model = compiled()
    model.train_on_batch(x, y)
    state = checkpoints.collect(model, [])
    wanted = [model.train_on_batch(x, y) for _ in range(2)]
    other = compiled()
    checkpoints.restore(other, [], state, SOURCE)
    assert [other.train_on_batch(x, y) for _ in range(2)] == wanted


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.parametrize("callback_class", ["EarlyStopping", "ReduceLROnPlateau"])
def test_a_callback_goes_on_judging_as_before(callback_class):
    def new():
        callback = getattr(keras.callbacks, callback_class)("loss", patience=2, min_delta=0.1)
        callback.set_model(model)
        callback.on_train_begin()
        return callback

    def feed(callback, losses):
        waits = []
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"loss": loss})
            waits.append(callback.wait)
        return waits

    model = compiled()
    callback = new()
    feed(callback, [1.0, 0.95])
    state = checkpoints.collect(model, [callback])
    resumed = new()
    checkpoints.restore(model, [resumed], state, SOURCE)
    assert resumed.best == 1.0
    # An improvement by 0.15, then one by 0.05, which is less than min_delta
    assert feed(resumed, [0.85, 0.8]) == feed(callback, [0.85, 0.8]) == [0, 1]


def test_weights_that_a_callback_holds_come_back():
    model = compiled()
    callback = keras.callbacks.EarlyStopping("loss", restore_best_weights=True)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0, {"loss": 1.0})
    state = checkpoints.collect(model, [callback])
    resumed = keras.callbacks.EarlyStopping("loss", restore_best_weights=True)
    checkpoints.restore(model, [resumed], state, SOURCE)
    for ours, theirs in zip(resumed.best_weights, callback.best_weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("model", "callbacks", "part"),
    [
        (lambda: compiled(units=4), [], "variables"),
        (compiled, [keras.callbacks.EarlyStopping()], "callbacks"),
    ],
)
def test_the_state_of_another_training_is_refused_and_changes_nothing(model, callbacks, part):
    state = checkpoints.collect(compiled(), [])
    other = model()
    before = [variable.numpy() for variable in checkpoints.variables(other)]
    with pytest.raises(errors.UserError, match=rf"^{SOURCE}: its {part} .*--overwrite$"):
        checkpoints.restore(other, callbacks, state, SOURCE)
    after = [variable.numpy() for variable in checkpoints.variables(other)]
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))
