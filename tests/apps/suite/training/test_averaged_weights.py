"""The averages are those that Keras itself would put into the model at the end of `fit`."""

import keras
import numpy as np
import pytest

from apps.suite.training import checkpoints
from apps.suite.training import optimizer as averaged_weights

X, Y = np.ones((2, 4, 3), np.float32), np.ones((2, 1), np.float32)


def model_with(optimizer):
    layers = [
        keras.Input((4, 3), batch_size=2),
        keras.layers.LSTM(5, stateful=True),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile(optimizer, "mse")
    return model


def averaging():
    return keras.optimizers.AdamW(0.1, use_ema=True, ema_momentum=0.5)


@pytest.mark.parametrize(
    "optimizer", [averaging, lambda: keras.optimizers.LossScaleOptimizer(averaging())]
)
def test_they_are_what_keras_finalizes_to(optimizer):
    model = model_with(optimizer())
    for _ in range(3):
        model.train_on_batch(X, Y)
    raw = model.get_weights()
    averages = averaged_weights.averaged_arrays(model)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    for average, wanted in zip(averages, model.get_weights(), strict=True):
        np.testing.assert_array_equal(average, wanted)
    changed = [not np.array_equal(*pair) for pair in zip(averages, raw, strict=True)]
    assert changed == [weight.trainable for weight in model.weights]


def test_before_the_first_step_and_without_averaging_they_are_the_models_own():
    fresh = model_with(averaging())
    fresh.optimizer.build(fresh.trainable_variables)
    plain = model_with(keras.optimizers.SGD(0.1))
    plain.train_on_batch(X, Y)
    for model in (fresh, plain):
        for array, wanted in zip(
            averaged_weights.averaged_arrays(model), model.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(array, wanted)


def test_they_are_in_place_within_the_block_and_nothing_it_does_remains():
    model = model_with(averaging())
    for _ in range(2):
        model.train_on_batch(X, Y)
    averages = averaged_weights.averaged_arrays(model)
    before = [variable.numpy() for variable in checkpoints.variables(model)]

    def spoil():
        with averaged_weights.averages_in_place(model):
            for weight, average in zip(model.get_weights(), averages, strict=True):
                np.testing.assert_array_equal(weight, average)
            model(X)  # moves the states
            model.layers[-1].bias.assign([9.0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spoil()
    after = [variable.numpy() for variable in checkpoints.variables(model)]
    assert [array.tobytes() for array in after] == [array.tobytes() for array in before]
