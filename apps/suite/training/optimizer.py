"""Builds the optimizer of every task: AdamW, a warm-up followed by a cosine, averaged weights.

The exponential moving averages of the weights that an optimizer with `use_ema=True` keeps.

Training steps from the raw weights; validation, the saved model and the end of `fit` want the
averages. `fit.fit` puts them in place around `validate` and `save_best` by itself.
"""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import keras
import numpy as np

from apps.suite.distribution import replicas
from apps.suite.training import checkpoints


def averaged_arrays(model: keras.Model) -> list[np.ndarray]:
    """Returns the weights in the order of `model.weights`, for `set_weights`.

    Trainable weights are the optimizer's averages; without `use_ema`, before the first step, and
    for weights that aren't trained, they are the model's own.
    """
    averages = _averages(model)
    return [replicas.copies(averages.get(id(one), one))[0].numpy() for one in model.weights]


@contextlib.contextmanager
def averages_in_place(model: keras.Model) -> Iterator[None]:
    """Puts the averages into the model while the block runs.

    At its end every variable of the model is what it was before, to the bit, whatever the block
    has done to it: stateful layers' states, too. Only this process's copies are looked at.
    """
    variables = checkpoints.variables(model)
    held = [(copy, copy.numpy()) for each in variables for copy in replicas.copies(each)]
    averages = _averages(model)
    try:
        for variable in variables:
            if id(variable) in averages:
                variable.assign(averages[id(variable)])
        yield
    finally:
        for copy, value in held:
            copy.assign(value)


def _averages(model: keras.Model) -> dict[int, keras.Variable]:
    """Maps the id of a trainable weight to its average; empty if there are none yet."""
    optimizer = model.optimizer
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # that of a LossScaleOptimizer
    if not getattr(inner, "use_ema", False) or int(optimizer.iterations.numpy()) == 0:
        return {}
    # Keras has no public way to an average but its name. Equal names come in the weights' order.
    by_name = collections.defaultdict(list)
    for variable in optimizer.variables:
        by_name[variable.name].append(variable)
    averages = {}
    for weight in model.trainable_variables:
        candidates = by_name[f"{weight.path.replace('/', '_')}_average"]
        if candidates:
            averages[id(weight)] = candidates.pop(0)
    if not averages:
        raise RuntimeError(f"keras {keras.__version__} names an optimizer's averages otherwise")
    return averages


class Settings(Protocol):
    """The part of a task's training config that is read here."""

    @property
    def steps(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def schedule(self) -> str: ...
    @property
    def warmup_fraction(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def gradient_clip_norm(self) -> float: ...
    @property
    def average_fraction(self) -> float: ...


def optimizer(settings: Settings) -> keras.optimizers.Optimizer:
    """Builds AdamW (Loshchilov and Hutter 2019) from the settings.

    `schedule` is "cosine" (down to 0 at `steps`) or "constant", after `warmup_fraction` of the
    steps; `gradient_clip_norm` bounds the norm of all gradients together, 0 = off;
    `average_fraction` is that of `AveragingAdamW`, 0 = off. Biases and peepholes don't decay.
    """
    kind, averaging = keras.optimizers.AdamW, {}
    if settings.average_fraction:
        kind, averaging = AveragingAdamW, {"average_fraction": settings.average_fraction}
    made = kind(
        learning_rate=_schedule(settings),
        weight_decay=settings.weight_decay,
        beta_2=0.99,  # a recurrent net's gradients change their size faster than 0.999 follows
        global_clipnorm=settings.gradient_clip_norm or None,
        **averaging,
    )
    made.exclude_from_weight_decay(var_names=["bias", "peephole"])
    return made


@keras.saving.register_keras_serializable(package="apps")
class AveragingAdamW(keras.optimizers.AdamW):
    """AdamW that averages the weights over the last part of the training so far.

    Polynomial-decay averaging (Shamir and Zhang 2013, section 4): after step t, counted from 0,
    the average moves by 1 / (1 + t · average_fraction) of the way to the weights, so that it
    reaches back over about that fraction of all steps, however many they turn out to be. A
    constant momentum would either remember the first weights for too long or average too little
    at the end.

    Args:
        average_fraction: share of the steps, above 0.
        **options: those of `keras.optimizers.AdamW`, without its averaging.
    """

    def __init__(self, *, average_fraction: float, **options: Any) -> None:
        super().__init__(use_ema=True, **options)
        self.average_fraction = average_fraction

    @property
    def ema_momentum(self) -> Any:
        """Keras multiplies the old average by this: a function of the step here."""
        reach = keras.ops.cast(self.iterations, "float32") * self.average_fraction
        return reach / (1.0 + reach)

    @ema_momentum.setter
    def ema_momentum(self, value: float) -> None:
        """Keras's constructor sets its constant, which isn't used."""

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "average_fraction": self.average_fraction}
        for key in ("use_ema", "ema_momentum"):
            del config[key]
        return config


def _schedule(settings: Settings) -> keras.optimizers.schedules.CosineDecay:
    warmup_steps = round(settings.steps * settings.warmup_fraction)
    return keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 1000 if warmup_steps else settings.learning_rate,
        decay_steps=settings.steps - warmup_steps,
        alpha=0.0 if settings.schedule == "cosine" else 1.0,  # the share that is left at the end
        warmup_target=settings.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
