"""Initializers of weights that must not come out equal."""

from __future__ import annotations

from typing import Any

import keras

_BETWEEN_LAYERS = 1000


def another(initializer: Any, position: int) -> Any:
    """Returns an initializer like this one that draws other values.

    A random initializer of Keras returns the same values at every call, so that one object, or one
    seed, in two places makes equal weights there.

    Args:
        initializer: an initializer, its name, its configuration, a function, or None.
        position: its place among those that share it, from 0. At 0 it is returned as it is; from
            there on a seed that is a number is raised by the position, and one that is not given
            is drawn anew.

    Returns:
        What `initializer` was where it draws nothing, or draws anew at each call by itself.
    """
    found = keras.initializers.get(initializer)
    if position == 0 or not isinstance(found, keras.initializers.Initializer):
        return found
    config = found.get_config()
    seed = config.get("seed", "none")
    if seed is None:
        return found.clone()
    if isinstance(seed, int):
        return type(found).from_config({**config, "seed": seed + position})
    return found


def alike(one: Any, other: Any) -> bool:
    """Returns True where two initializers return the same values for the same shape."""
    if one is other:
        return True
    if type(one) is not type(other) or not isinstance(one, keras.initializers.Initializer):
        return False
    config = one.get_config()
    return isinstance(config.get("seed"), int) and config == other.get_config()


def of_each(initializer: Any, channels: int) -> Any:
    """Returns an initializer of kernels (height, width, channels, 1) that see each channel alone.

    An initializer of Keras whose spread depends on the number of inputs takes all channels for
    them, so that less and less comes through such a kernel the more channels there are. What is
    drawn is larger by the root of their number. Any other initializer is returned as it is.
    """
    counting = (keras.initializers.VarianceScaling, keras.initializers.Orthogonal)
    if channels == 1 or not isinstance(initializer, counting):
        return initializer

    def drawn(shape, dtype=None):
        return initializer(shape, dtype=dtype) * channels**0.5

    return drawn


def others(options: dict[str, Any], position: int) -> dict[str, Any]:
    """Returns the options of a layer, one of several, with `another` for every initializer.

    Seeds of two layers are far apart, since the weights of one layer take the ones in between.
    """
    return {
        name: another(value, _BETWEEN_LAYERS * position) if name.endswith("_initializer") else value
        for name, value in options.items()
    }
