"""Pools the steps of a sequence to one vector, at its end or after each of its steps."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from apps.suite.networks.pooling import NOTHING

KINDS = ("last", "mean", "max", "attention", "mean_max")


@keras.saving.register_keras_serializable(package="lstm_tasks")
class StepSummary(keras.layers.Layer):
    """Pools outputs y_t of the steps that count to one vector s.

        last        s = y_n, n the last step that counts
        mean        s = Σ_t y_t / n
        max         s = max_t y_t
        attention   s = Σ_t softmax(a)_t y_t,  a_t = w · tanh(W y_t + b)
        mean_max    mean and max, one after the other

    A sequence of which no step counts has s = 0.

    Args:
        kind: one of `KINDS`.
        name, trainable, dtype: those of `keras.layers.Layer`.

    Call arguments:
        values: (batch, time, width).
        counted: bool (batch, time).

    Returns:
        (batch, width), or (batch, 2 · width) for mean_max.
    """

    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, is {kind!r}")
        self.kind = kind

    def build(self, values_shape: tuple[Any, ...], *_: Any) -> None:
        self._width = width = values_shape[-1]
        if self.kind == "attention":
            hidden = max(1, width // 2)
            self.hidden = self.add_weight(name="hidden", shape=(width, hidden))
            self.bias = self.add_weight(name="bias", shape=(hidden,), initializer="zeros")
            self.query = self.add_weight(name="query", shape=(hidden, 1))
        self.built = True

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Returns no mask: the steps that count are an input and an output by themselves."""

    def attention(self, values: Any) -> Any:
        """Returns a (batch, time) of values (batch, time, width), of kind attention."""
        hidden = ops.tanh(ops.matmul(values, self.hidden) + self.bias)
        return ops.matmul(hidden, self.query)[..., 0]

    def call(self, values: Any, counted: Any) -> Any:
        weights = ops.cast(counted, values.dtype)[..., None]
        count = ops.sum(weights, axis=1)
        mean = ops.sum(values * weights, axis=1) / ops.maximum(count, 1)
        if self.kind == "mean":
            return mean
        if self.kind == "attention":
            scores = ops.where(counted, self.attention(values), NOTHING)
            scores = ops.exp(scores - ops.max(scores, axis=1, keepdims=True))[..., None] * weights
            return ops.sum(scores * values, axis=1) / ops.maximum(ops.sum(scores, axis=1), 1e-30)
        if self.kind == "last":
            places = ops.cast(ops.arange(1, ops.shape(values)[1] + 1), values.dtype)[None, :, None]
            # The highest place that counts, as a product: a gather would need a static length
            newest = ops.max(places * weights, axis=1, keepdims=True)
            at = ops.cast(ops.equal(places * weights, newest), values.dtype) * weights
            return ops.sum(values * at, axis=1)
        greatest = ops.max(ops.where(weights > 0, values, NOTHING), axis=1)
        greatest = greatest * ops.cast(count > 0, values.dtype)
        return greatest if self.kind == "max" else ops.concatenate([mean, greatest], axis=-1)

    def initial_states(self, batch: Any) -> dict[str, Any]:
        """Returns the states before the first step of a stream: float32 (batch, …) by name."""
        none, one = ops.zeros((batch, self._width)), ops.ones((batch, 1))
        states = {}
        if self.kind == "last":
            states["last"] = none
        if self.kind in ("mean", "mean_max", "attention"):
            states |= {"total": none, "weight": 0 * one}
        if self.kind in ("max", "mean_max"):
            states["greatest"] = none + NOTHING
        if self.kind == "attention":
            states["reference"] = NOTHING * one
        return states

    def advance(
        self, values: Any, counted: Any, states: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Pools what a stream has shown so far, after each of its new steps.

        Args:
            values, counted: as in a call, of the new steps, at least one.
            states: of `initial_states`, or of the last call.

        Returns:
            (batch, new steps, width), or twice the width: what a call would return for the
            sequence up to this step; and the new states.
        """
        weights = ops.cast(counted, values.dtype)[..., None]
        parts, after = [], {}
        if self.kind == "last":
            steps = ops.cumsum(weights, axis=1)
            begun = ops.cast(steps > 0, values.dtype)
            # A recurrent layer repeats its output at a step that does not count.
            newest = begun * values + (1 - begun) * states["last"][:, None]
            parts, after = [newest], {"last": newest[:, -1]}
        if self.kind == "attention":
            scores = ops.where(counted, self.attention(values), NOTHING)
            before = states["reference"]
            reference = ops.maximum(before, ops.max(scores, axis=1, keepdims=True))
            weights = ops.exp(scores - reference)[..., None] * weights
            faded = ops.exp(before - reference)
            states = {
                "total": states["total"] * faded,
                "weight": states["weight"] * faded,
            }
            after["reference"] = reference
        if "total" in states:
            total = states["total"][:, None] + ops.cumsum(values * weights, axis=1)
            weight = states["weight"][:, None] + ops.cumsum(weights, axis=1)
            parts.append(total / ops.maximum(weight, 1e-30))
            after |= {"total": total[:, -1], "weight": weight[:, -1]}
        if "greatest" in states:
            shown = ops.where(weights > 0, values, NOTHING)
            joined = ops.concatenate([states["greatest"][:, None], shown], axis=1)
            greatest = _running_maximum(joined)[:, 1:]
            parts.append(ops.where(greatest > NOTHING / 2, greatest, 0.0))
            after["greatest"] = greatest[:, -1]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1), after

    def compute_output_shape(self, values_shape: tuple[Any, ...], *_: Any) -> tuple[Any, ...]:
        times = 2 if self.kind == "mean_max" else 1
        return (values_shape[0], values_shape[-1] * times)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}


def _running_maximum(values: Any) -> Any:
    """Returns the maximum up to each step of values (batch, time, width).

    Each turn doubles the steps that a maximum looks back. `ops.associative_scan` would do, but for
    a length that only the call tells it traces a branch for every power of two, each with its own:
    a server then takes half a minute to load the graph.
    """
    length = ops.shape(values)[1]
    places = ops.arange(length)[None, :, None]

    def doubled(reach: Any, greatest: Any) -> tuple[Any, Any]:
        before = ops.where(places >= reach, ops.roll(greatest, reach, axis=1), NOTHING)
        return 2 * reach, ops.maximum(greatest, before)

    return ops.while_loop(lambda reach, _: reach < length, doubled, (1, values))[1]
