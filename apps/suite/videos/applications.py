"""Builds networks of `keras.applications` without their heads, to encode single frames."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import keras

from apps.suite import errors

RANDOM, DOWNLOADED = "random", "imagenet"


def build(name: str, weights: str, height: int, width: int, stride: int = 0) -> keras.Model:
    """Builds a network without its head, of frames uint8 (batch, height, width, 3).

    Args:
        name: of a network in `keras.applications`, such as MobileNetV2.
        weights: "random", "imagenet", which Keras downloads, or a file in the format of
            `save_weights` or of Keras's own weights without the head.
        height, width: of the frames, in pixels.
        stride: pixels of a frame to one place of the features; 0 = one place, their mean.

    Returns:
        A model to (batch, n); with a stride to (batch, height / stride, width / stride, n), what
        the network has computed when it leaves that size.

    Raises:
        UserError: no such network, frames too small for it, no features of this stride, weights
            that are missing, that don't fit or that cannot be downloaded.
    """
    made = getattr(keras.applications, name, None)
    if not inspect.isfunction(made):
        names = [n for n in dir(keras.applications) if n[:1].isupper()]
        raise errors.UserError(
            f"model.application: {name!r} is not one of keras.applications: {', '.join(names)}"
        )
    path = None if weights in (RANDOM, DOWNLOADED) else Path(weights).expanduser()
    if path is not None and not path.is_file():
        raise errors.UserError(
            f"model.application_weights: {weights}: no such file; give a file of weights, "
            f'"{DOWNLOADED}" or "{RANDOM}"'
        )
    try:
        network = made(
            include_top=False,
            weights=DOWNLOADED if weights == DOWNLOADED else None,
            input_shape=(height, width, 3),
            pooling=None if stride else "avg",
        )
    except Exception as error:  # what Keras's checks and its downloads raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise errors.UserError(
            f"model.application: {name} with weights {weights!r} for frames of {height} x {width} "
            f"pixels cannot be made: {reason}"
        ) from error
    if path is not None:
        try:
            network.load_weights(path)
        except Exception as error:
            raise errors.UserError(
                f"model.application_weights: {path} does not hold the weights of {name} without "
                "its head"
            ) from error
    if stride:
        network = _up_to(network, (height // stride, width // stride), name, stride)
    frames = keras.Input((height, width, 3), dtype="uint8", name="frames")
    features = network(ApplicationPixels(name, name="pixels")(frames))
    return keras.Model(frames, features, name="application")


@keras.saving.register_keras_serializable(package="lstm_tasks")
class ApplicationPixels(keras.layers.Layer):
    """Pixels from 0 to 255 as a network of `keras.applications` was trained with.

    Args:
        application: the network's name; the scaling is that of its module.
    """

    def __init__(self, application: str, **options: Any) -> None:
        super().__init__(**options)
        self.application = application

    def build(self, _: Any) -> None:
        self.built = True

    def call(self, frames: Any) -> Any:
        made = inspect.unwrap(getattr(keras.applications, self.application))
        scale = sys.modules[made.__module__].preprocess_input
        return scale(keras.ops.cast(frames, self.compute_dtype), data_format="channels_last")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "application": self.application}


def scaled(features: Any) -> Any:
    """Scales features of a network with random weights, which let their input shrink to 1e-12."""
    options = {"epsilon": 1e-30, "center": False, "scale": False}
    return keras.layers.LayerNormalization(**options, name="application_scale")(features)


def describe(weights: str, fine_tune: bool) -> str:
    """Returns a sentence about the origin of the network's features."""
    origin = {
        RANDOM: "random weights: it has learned nothing before",
        DOWNLOADED: "weights learned on ImageNet",
    }.get(weights, f"weights of {weights}")
    return f"{origin}, {'trained further' if fine_tune else 'frozen'}"


def _up_to(network: keras.Model, places: tuple[int, int], name: str, stride: int) -> keras.Model:
    """Cuts a network after its last layer of so many places, down and across."""
    fitting = [
        layer.output
        for layer in network.layers
        if isinstance(layer.output, keras.KerasTensor) and tuple(layer.output.shape[1:3]) == places
    ]
    if not fitting:
        raise errors.UserError(
            f"model.application: {name} has no features with {stride} pixels to a place; give "
            "another model.stride, or other sides of the frames"
        )
    return keras.Model(network.input, fitting[-1], name=f"{network.name}_stride_{stride}")
