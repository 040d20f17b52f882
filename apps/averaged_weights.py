"""The exponential moving averages of the weights that an optimizer with `use_ema=True` keeps.

Training steps from the raw weights; validation, the saved model and the end of `fit` want the
averages. `training.fit` puts them in place around `validate` and `save_best` by itself.
"""

import collections
import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from apps import replica_rows, training_state


def arrays(model: keras.Model) -> list[np.ndarray]:
    """The weights in the order of `model.weights`, as `set_weights` takes them.

    Trainable weights are the optimizer's averages; without `use_ema`, before the first step, and
    for weights that aren't trained, they are the model's own.
    """
    averages = _averages(model)
    return [replica_rows.copies(averages.get(id(one), one))[0].numpy() for one in model.weights]


@contextlib.contextmanager
def in_place(model: keras.Model) -> Iterator[None]:
    """While the block runs, the model holds the averages.

    At its end every variable of the model is what it was before, to the bit, whatever the block
    has done to it: stateful layers' states, too. Only this process's copies are looked at.
    """
    variables = training_state.variables(model)
    held = [(copy, copy.numpy()) for each in variables for copy in replica_rows.copies(each)]
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
    """id of a trainable weight -> its average; empty when there are none yet."""
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
