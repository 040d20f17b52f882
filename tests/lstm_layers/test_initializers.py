"""Weights that share an initializer, which are to differ, and to come out again with its seed."""

import keras
import numpy as np
import pytest

from lstm_layers import BiLSTM, PeepholeLSTM, StackedLSTM, initializers

RANDOM = {
    "object": keras.initializers.RandomNormal,
    "seeded": lambda: keras.initializers.RandomNormal(seed=3),
    "generator": lambda: keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(3)),
    "configuration": lambda: keras.initializers.serialize(keras.initializers.RandomNormal(seed=3)),
}


@pytest.fixture(params=RANDOM)
def shared(request):
    return RANDOM[request.param]()


def _halves(layer):
    weights = layer.get_weights()
    return weights[: len(weights) // 2], weights[len(weights) // 2 :]


@pytest.mark.parametrize("kind", ["stack", "directions"])
def test_layers_of_a_layer_do_not_start_alike(shared, kind):
    options = {
        "kernel_initializer": shared,
        "recurrent_initializer": shared,
        "peephole_initializer": shared,
    }
    layer = StackedLSTM(3, **options) if kind == "stack" else BiLSTM(3, **options)
    layer.build((4, 6, 3))
    for one, other in zip(*_halves(layer), strict=True):
        is_the_bias = set(one.ravel()) == {0.0, 1.0}
        assert (one != other).any() or is_the_bias


def test_weights_of_one_shape_in_one_cell_do_not_start_alike(shared):
    layer = PeepholeLSTM(
        3,
        kernel_initializer=shared,
        recurrent_initializer=shared,
        peephole_initializer="random_normal",
    )
    layer.build((4, 6, 3))
    kernel, recurrent_kernel, _, *peepholes = layer.get_weights()
    assert (kernel != recurrent_kernel).any()
    assert len({tuple(peephole) for peephole in peepholes}) == 3


def test_a_seed_makes_the_same_weights_again_also_from_the_configuration():
    initializer = keras.initializers.RandomNormal(seed=3)
    layer = StackedLSTM(3, depth=3, kernel_initializer=initializer, recurrent_initializer="zeros")
    layer.build((4, 6, 3))
    copy = StackedLSTM.from_config(layer.get_config())
    copy.build((4, 6, 3))
    for one, other in zip(copy.get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(layer.get_weights()[0], initializer((3, 12)))


@pytest.mark.parametrize("given", ["zeros", "ones", keras.initializers.Constant(0.5), None])
def test_what_draws_nothing_stays_as_it_is(given):
    found = initializers.another(given, 2)
    assert keras.initializers.serialize(found) == keras.initializers.serialize(
        keras.initializers.get(given)
    )
