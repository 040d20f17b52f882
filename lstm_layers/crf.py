"""`CRF`, a layer that scores, decodes and learns whole sequences of tags.

Rules of tagging schemes as options of the layer: `CRF(len(names), **forbidden_by("IOB2", names))`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lstm_layers.recurrences import portable

_FORBIDDEN = -1e9  # so far below any score that its exponential is 0, and finite on every backend
_FINITE = 3e38  # about the greatest float32

# Prefixes that may follow each one within an entity of one type, and between any two others.
_INSIDE = {
    "IO": {"I": "I"},
    "IOB1": {"I": "IB", "B": "IB"},
    "IOB2": {"B": "I", "I": "I"},
    "BIOES": {"B": "IE", "I": "IE", "E": "", "S": ""},
    "BILOU": {"B": "IL", "I": "IL", "L": "", "U": ""},
}
_BEGINS = {"IO": "I", "IOB1": "I", "IOB2": "B", "BIOES": "BS", "BILOU": "BU"}
_ENDS = {"IO": "I", "IOB1": "IB", "IOB2": "BI", "BIOES": "ES", "BILOU": "LU"}


def forbidden_by(scheme: str, names: Sequence[str]) -> dict[str, list]:
    """Returns what a tagging scheme forbids, as options of `CRF`.

    Args:
        scheme: "IO", "IOB1", "IOB2", "BIOES" or "BILOU".
        names: of the tags in the order of their indices: "O", or a prefix of the scheme, a hyphen
            and a type, such as "B-PER".

    Returns:
        `forbidden_transitions`, `forbidden_starts` and `forbidden_ends`.

    Raises:
        ValueError: another scheme, or a name that is not of the scheme.
    """
    if scheme not in _INSIDE:
        raise ValueError(f"scheme must be one of {', '.join(_INSIDE)}, got {scheme!r}")
    begins, ends = _BEGINS[scheme], _ENDS[scheme]
    parts = [("O", "") if name == "O" else tuple(name.split("-", 1)) for name in names]
    for name, part in zip(names, parts, strict=True):
        if len(part) != 2 or part[0] not in {*begins, *ends, *_INSIDE[scheme], "O"}:
            raise ValueError(f"{name!r} is not a tag of the scheme {scheme}")

    def allowed(one: Sequence[str], other: Sequence[str]) -> bool:
        (before, kind_before), (after, kind_after) = one, other
        if before != "O" and kind_before == kind_after and after in _INSIDE[scheme][before]:
            return True
        return (before == "O" or before in ends) and (after == "O" or after in begins)

    every = list(enumerate(parts))
    return {
        "forbidden_transitions": [
            [i, j] for i, one in every for j, other in every if not allowed(one, other)
        ],
        "forbidden_starts": [i for i, part in every if part[0] not in {*begins, "O"}],
        "forbidden_ends": [i for i, part in every if part[0] not in {*ends, "O"}],
    }


def _log_sum_exp(values: Any, axis: int) -> Any:
    """Returns log Σ exp along an axis: what Keras does, by operations that ONNX has as well."""
    most = ops.max(values, axis=axis, keepdims=True)
    most = ops.stop_gradient(ops.clip(most, -_FINITE, _FINITE))
    return ops.log(ops.sum(ops.exp(values - most), axis=axis)) + ops.squeeze(most, axis=axis)


def _mixing(matrix: Any) -> Callable[[Any], Any]:
    """Returns a function of values v (batch, tags) to log Σ_i exp(v(i) + matrix(i, j)).

    A product of matrices in place of as many exponentials as it has terms, for use alone: what is
    below the range of the numbers has no gradient.
    """
    wide = "float32" if keras.backend.backend() == "jax" else "float64"
    least = 1e-300 if wide == "float64" else 1e-37
    greatest = ops.max(matrix)
    factors = ops.exp(ops.cast(matrix - greatest, wide))

    def mix(values: Any) -> Any:
        most = ops.max(values, axis=1, keepdims=True)
        sums = ops.matmul(ops.exp(ops.cast(values - most, wide)), factors)
        return ops.cast(ops.log(ops.maximum(sums, least)), values.dtype) + (most + greatest)

    return mix


def _first_greatest(values: Any) -> Any:
    """Returns the place of the greatest value of each row, int32, the first of equal ones.

    Keras's own argmax looks into the bits of floats, for which ONNX has no operation.
    """
    greatest = values >= ops.max(values, axis=1, keepdims=True)
    return ops.cast(ops.argmax(ops.cast(greatest, "int32"), axis=1), "int32")


@keras.saving.register_keras_serializable(package="lstm_layers")
class CRF(keras.layers.Layer):
    """Linear-chain conditional random field over (batch, time, tags).

    With scores x_t(j) of tag j at step t, from the layers below, and weights T, a, b, a sequence
    of tags y has

        score(y) = a(y_1) + Σ_t x_t(y_t) + Σ_t T(y_t, y_t+1) + b(y_n)
        log p(y) = score(y) - log Z,   log Z = log Σ_y' exp score(y')

    log Z follows from the forward recursion α_t(j) = x_t(j) + log Σ_i exp(α_t-1(i) + T(i, j)), and
    the marginals p(y_t = j) = exp(α_t(j) + β_t(j) - log Z) from the same recursion backwards. The
    best sequence follows from it with max in place of log Σ exp (Viterbi 1967).

    Weights, in this order: `transitions` T (tags, tags) from row to column, `starts` a (tags,),
    `ends` b (tags,).

    Forbidden transitions, starts and ends get a score of -1e9 in all of these, so that no decoded
    sequence holds one, and their probability is 0.

    Masks may be of any kind: the recursions skip masked steps, so that the steps beside a gap are
    neighbours. A row that is masked as a whole has log Z = 0.

    Everything is computed in float32, or in float64 where the scores are, whatever the policy.
    The operations are those of the backend: an export of `decode` runs on a stock server.

    Sources: Lafferty, McCallum and Pereira, "Conditional random fields", 2001; a and b as in
    Lample et al., "Neural architectures for named entity recognition", 2016.

    Args:
        tags: number of tags.
        forbidden_transitions: pairs (from, to) of tags.
        forbidden_starts, forbidden_ends: tags that no sequence begins or ends with.
        transition_initializer: of T, a and b; Lample et al. begin like "glorot_uniform".
        transition_regularizer: of T, a and b.
        returns: "tags", or "scores": the call then returns the scores as they are, for a model
            that is compiled with a loss, `lambda tags, scores: crf.negative_log_likelihood(scores,
            tags)`, and asked by `decode` and `marginals`.

    Call arguments:
        scores: float (batch, time, tags).
        tags: int (batch, time), those to learn; negative ones count as masked.
        weights: float (batch,), of the sequences in the loss.
        mask: bool (batch, time), of the steps that count; None = all. `scores_mask` is the one
            that Keras hands on with the scores, for calls without `mask`.

    Returns:
        Without `tags`, the best tags int32 (batch, time), -1 at masked steps. With `tags`, the
        negative log-likelihood float (batch,), whose mean is added to the losses of the model
        (`compile` then needs no loss).

    Raises:
        ValueError: tags that are not in range, rules that leave no sequence of some length, or
            scores of another number of tags.
    """

    def __init__(
        self,
        tags: int,
        *,
        forbidden_transitions: Iterable[Sequence[int]] = (),
        forbidden_starts: Iterable[int] = (),
        forbidden_ends: Iterable[int] = (),
        transition_initializer: Any = "zeros",
        transition_regularizer: Any = None,
        returns: str = "tags",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if tags < 1:
            raise ValueError(f"tags must be at least 1, got {tags}")
        if returns not in ("tags", "scores"):
            raise ValueError(f"returns must be tags or scores, got {returns!r}")
        self.tags = int(tags)
        self.forbidden_transitions = [(int(i), int(j)) for i, j in forbidden_transitions]
        self.forbidden_starts = [int(tag) for tag in forbidden_starts]
        self.forbidden_ends = [int(tag) for tag in forbidden_ends]
        self.transition_initializer = keras.initializers.get(transition_initializer)
        self.transition_regularizer = keras.regularizers.get(transition_regularizer)
        self.returns = returns
        self.supports_masking = True
        self._refused = self._penalties()

    def build(self, scores_shape: Any) -> None:
        """Creates the weights, and checks the number of scores."""
        if scores_shape[-1] != self.tags:
            raise ValueError(f"{self.tags} tags need as many scores, got {scores_shape[-1]}")
        for name, shape in (
            ("transitions", (self.tags, self.tags)),
            ("starts", (self.tags,)),
            ("ends", (self.tags,)),
        ):
            weight = self.add_weight(
                name=name,
                shape=shape,
                initializer=(
                    self.transition_initializer if len(shape) == 2 else keras.initializers.Zeros()
                ),
                regularizer=self.transition_regularizer,
            )
            setattr(self, name, weight)

    def call(
        self,
        scores: Any,
        tags: Any = None,
        weights: Any = None,
        mask: Any = None,
        scores_mask: Any = None,
    ) -> Any:
        mask = scores_mask if mask is None else mask
        if tags is None:
            # A copy of scores, which does not carry the mask that a loss would look for
            return self.decode(scores, mask) if self.returns == "tags" else scores + 0.0
        nats = self.negative_log_likelihood(scores, tags, mask)
        weighted = nats if weights is None else nats * ops.cast(weights, nats.dtype)
        self.add_loss(ops.mean(weighted))
        return nats

    def compute_mask(self, *arguments: Any, **named: Any) -> None:
        """Returns no mask: tags say by -1 where none counts, and a loss has no steps."""
        return

    def compute_output_spec(self, scores: Any, tags: Any = None, **others: Any) -> Any:
        if tags is None and self.returns == "scores":
            return keras.KerasTensor(scores.shape, scores.dtype)
        if tags is None:
            return keras.KerasTensor(scores.shape[:2], "int32")
        return keras.KerasTensor(tuple(scores.shape[:1]), self._dtype_of(scores))

    def negative_log_likelihood(self, scores: Any, tags: Any, mask: Any = None) -> Any:
        """Returns -log p(tags) in nats, float (batch,); see the class for the arguments."""
        scores, tags = self._in_full(scores), ops.cast(tags, "int32")
        keep = tags >= 0
        if mask is not None:
            keep = ops.logical_and(keep, ops.cast(mask, "bool"))
        return self.log_normalizer(scores, keep) - self.path_score(scores, tags, keep)

    def path_score(self, scores: Any, tags: Any, mask: Any = None) -> Any:
        """Returns score(tags), float (batch,); tags (batch, time) count where the mask is true."""
        scores, keep = self._in_full(scores), self._keep(scores, mask)
        transitions, starts, ends = self._weights(scores.dtype)
        tags = ops.where(keep, ops.cast(tags, "int32"), 0)
        of_steps = ops.take_along_axis(scores, tags[:, :, None], axis=2)[:, :, 0]
        total = ops.sum(ops.where(keep, of_steps, 0.0), axis=1)
        # Put the steps that count side by side: neighbours in the chain are neighbours then
        time = ops.shape(tags)[1]
        places = ops.arange(time, dtype="int32")[None]
        order = ops.argsort(ops.where(keep, places, places + time), axis=1)
        tags = ops.take_along_axis(tags, order, axis=1)
        counts = ops.sum(ops.cast(keep, "int32"), axis=1, keepdims=True)
        pairs = ops.take(ops.reshape(transitions, (-1,)), tags[:, :-1] * self.tags + tags[:, 1:])
        total += ops.sum(ops.where(places[:, 1:] < counts, pairs, 0.0), axis=1)
        last = ops.take_along_axis(tags, ops.maximum(counts - 1, 0), axis=1)[:, 0]
        borders = ops.take(starts, tags[:, 0]) + ops.take(ends, last)
        return total + ops.where(counts[:, 0] > 0, borders, 0.0)

    def log_normalizer(self, scores: Any, mask: Any = None) -> Any:
        """Returns log Z in nats, float (batch,)."""
        scores, keep = self._in_full(scores), self._keep(scores, mask)
        _, last = self._forward(scores, keep)
        return last

    def marginals(self, scores: Any, mask: Any = None) -> Any:
        """Returns p(y_t = j), float (batch, time, tags); zeros at masked steps.

        A tag that only much less likely ones lead to, by more than 700 nats (85 on JAX), counts
        as that likely: sums are products of matrices of probabilities, in double precision.
        """
        scores, keep = self._in_full(scores), self._keep(scores, mask)
        transitions, _, ends = self._weights(scores.dtype)
        alphas, _ = self._forward(scores, keep, _mixing(transitions))
        mix = _mixing(ops.transpose(transitions))

        def step(carry: Any, x: Any, kept: Any) -> Any:
            _, following = carry  # β of this step, and what β of the step before is made of
            return following, ops.where(kept[:, None], mix(x + following), following)

        first = ops.zeros_like(scores[:, 0]) + ends
        backwards = [ops.flip(each, axis=0) for each in self._by_step(scores, keep)]
        betas, _ = portable.scan(step, (first, first), backwards)
        # As log Z = log Σ_j exp(α_t(j) + β_t(j)) at every t: they add up to 1 whatever the rounding
        found = ops.softmax(ops.transpose(alphas + ops.flip(betas, axis=0), (1, 0, 2)), axis=2)
        return ops.where(keep[:, :, None], found, 0.0)

    def decode(self, scores: Any, mask: Any = None) -> Any:
        """Returns the tags of the highest score, int32 (batch, time), -1 at masked steps."""
        scores, keep = self._in_full(scores), self._keep(scores, mask)
        transitions, starts, ends = self._weights(scores.dtype)
        into = ops.transpose(transitions)  # from the last axis: reductions are fastest along it

        def step(carry: Any, x: Any, kept: Any) -> Any:
            best, begun = carry
            moved = ops.where(begun[:, None], ops.max(best[:, None] + into, axis=2), starts) + x
            return ops.where(kept[:, None], moved, best), ops.logical_or(begun, kept)

        nothing = ops.zeros_like(scores[:, 0])
        by_step = self._by_step(scores, keep)
        none = ops.zeros_like(by_step[1][0])
        every, (best, _) = portable.scan(step, (nothing, none), by_step)

        # Where the best path came from is asked for along that path alone
        def back(carry: Any, before: Any, comes: Any) -> Any:
            _, tag = carry
            from_there = _first_greatest(before + ops.take(into, tag, axis=0))
            return tag, ops.where(comes, from_there, tag)

        before = ops.concatenate([nothing[None], every[:-1]], axis=0)
        counts = ops.cumsum(ops.cast(by_step[1], "int32"), axis=0)
        comes = ops.logical_and(by_step[1], counts > 1)
        last = _first_greatest(best + ends)
        backwards = [ops.flip(each, axis=0) for each in (before, comes)]
        tags, _ = portable.scan(back, (last, last), backwards)
        tags = ops.transpose(ops.flip(tags, axis=0))
        return ops.where(keep, tags, -1)

    def get_config(self) -> Mapping[str, Any]:
        return {
            **super().get_config(),
            "tags": self.tags,
            "forbidden_transitions": [list(pair) for pair in self.forbidden_transitions],
            "forbidden_starts": self.forbidden_starts,
            "forbidden_ends": self.forbidden_ends,
            "transition_initializer": keras.initializers.serialize(self.transition_initializer),
            "transition_regularizer": keras.regularizers.serialize(self.transition_regularizer),
            "returns": self.returns,
        }

    def _forward(self, scores: Any, keep: Any, mix: Any = None) -> tuple[Any, Any]:
        """Returns α (time, batch, tags), that of the step before at masked ones; and log Z.

        `mix` returns log Σ_i exp(α(i) + T(i, j)) of α, (batch, tags).
        """
        transitions, starts, ends = self._weights(scores.dtype)
        into = ops.transpose(transitions)  # from the last axis: reductions are fastest along it

        def step(carry: Any, x: Any, kept: Any) -> Any:
            alpha, begun = carry
            moved = mix(alpha) if mix else _log_sum_exp(alpha[:, None] + into, axis=2)
            new = ops.where(begun[:, None], moved, starts) + x
            return ops.where(kept[:, None], new, alpha), ops.logical_or(begun, kept)

        nothing = ops.zeros_like(scores[:, 0])
        begun = ops.zeros_like(nothing[:, 0], "bool")
        alphas, (last, begun) = portable.scan(step, (nothing, begun), self._by_step(scores, keep))
        return alphas, ops.where(begun, _log_sum_exp(last + ends, axis=1), 0.0)

    def _by_step(self, scores: Any, keep: Any) -> list[Any]:
        return [ops.transpose(scores, (1, 0, 2)), ops.transpose(keep)]

    def _keep(self, scores: Any, mask: Any) -> Any:
        if mask is None:
            return ops.ones_like(scores[:, :, 0], "bool")
        return ops.cast(mask, "bool")

    def _dtype_of(self, scores: Any) -> str:
        dtype = keras.backend.standardize_dtype(scores.dtype)
        return dtype if dtype == "float64" else "float32"

    def _in_full(self, scores: Any) -> Any:
        scores = ops.convert_to_tensor(scores)
        return ops.cast(scores, self._dtype_of(scores))

    def _weights(self, dtype: Any) -> list[Any]:
        """Returns T, a and b with the penalties of what is forbidden."""
        weights = (self.transitions, self.starts, self.ends)
        return [
            ops.cast(weight, dtype) + ops.cast(ops.convert_to_tensor(refused), dtype)
            for weight, refused in zip(weights, self._refused, strict=True)
        ]

    def _penalties(self) -> list[np.ndarray]:
        """Returns what is added to T, a and b. Raises ValueError where the rules leave nothing."""
        transitions = np.zeros((self.tags, self.tags), "float32")
        starts, ends = np.zeros(self.tags, "float32"), np.zeros(self.tags, "float32")
        for named, places in (
            (np.asarray(self.forbidden_transitions, int).reshape(-1, 2).T, transitions),
            (np.asarray(self.forbidden_starts, int)[None], starts),
            (np.asarray(self.forbidden_ends, int)[None], ends),
        ):
            if named.size and not 0 <= named.min() <= named.max() < self.tags:
                raise ValueError(f"forbidden tags must be 0 to {self.tags - 1}")
            places[tuple(named)] = _FORBIDDEN
        here = starts == 0
        for length in range(1, self.tags + 2):
            if not (here & (ends == 0)).any():
                raise ValueError(f"what is forbidden leaves no sequence of {length} steps")
            here = ((transitions == 0) & here[:, None]).any(axis=0)
        return [transitions, starts, ends]
