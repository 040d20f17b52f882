import keras
import numpy as np
import pytest

from apps.suite import errors
from apps.suite.videos import applications

SIZE = 32


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return applications.build("MobileNetV2", "random", SIZE, SIZE)


def test_pixels_arrive_as_the_network_was_trained_with(network):
    frames = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    inner = network.layers[-1]
    expected = inner(frames / 127.5 - 1.0)
    np.testing.assert_allclose(network(frames), expected, rtol=1e-2, atol=1e-30)


def test_saved_it_comes_back(network, tmp_path):
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    frames = np.full((1, SIZE, SIZE, 3), 77, np.uint8)
    np.testing.assert_array_equal(loaded(frames), network(frames))


def test_weights_come_from_a_file(network, tmp_path):
    file = tmp_path / "mine.weights.h5"
    network.layers[-1].save_weights(file)
    keras.utils.set_random_seed(9)
    again = applications.build("MobileNetV2", str(file), SIZE, SIZE)
    for weight, expected in zip(again.weights, network.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize(
    ("name", "weights", "size", "said"),
    [
        (
            "MobileNetV9",
            "random",
            SIZE,
            "'MobileNetV9' is not one of keras.applications: .*MobileNetV2",
        ),
        ("mobilenet", "random", SIZE, "is not one of keras.applications"),
        ("MobileNetV2", "nowhere.h5", SIZE, "nowhere.h5: no such file"),
        ("InceptionV3", "random", SIZE, "for frames of 32 x 32 pixels cannot be made"),
    ],
)
def test_what_cannot_be_had_is_one_line(name, weights, size, said):
    with pytest.raises(errors.UserError, match=said) as raised:
        applications.build(name, weights, size, size)
    assert "\n" not in str(raised.value)


def test_weights_of_something_else_are_one_line(tmp_path):
    file = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(file)
    with pytest.raises(errors.UserError, match="does not hold the weights of MobileNetV2"):
        applications.build("MobileNetV2", str(file), SIZE, SIZE)


def test_maps_have_the_stride_that_is_asked_for_and_others_are_refused():
    maps = applications.build("MobileNetV2", "random", SIZE, 2 * SIZE, stride=8)
    assert maps.output_shape == (None, SIZE // 8, 2 * SIZE // 8, 192)
    with pytest.raises(errors.UserError, match="no features with 3 pixels to a place"):
        applications.build("MobileNetV2", "random", SIZE, SIZE, stride=3)
