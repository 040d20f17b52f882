"""`reading`, which lets a layer's options be read on the layer."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable


def reading(holder: str, names: Iterable[str]) -> Callable[[type], type]:
    """Makes a class decorator that adds properties which read attributes of `holder`.

    Options are read on a layer, as on those of Keras, wherever they are kept. Their names are
    collected in the class attribute `options_read`.

    Args:
        holder: path from the layer, "cell" or "cell.variant".
        names: of the attributes.
    """

    def decorated(layer_class):
        for name in names:
            if not hasattr(layer_class, name):
                setattr(layer_class, name, property(operator.attrgetter(f"{holder}.{name}")))
        layer_class.options_read = (*getattr(layer_class, "options_read", ()), *names)
        return layer_class

    return decorated
