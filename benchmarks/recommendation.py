"""Times a served model's ten best items, beside NumPy's product on the same core.

    served    the exported SavedModel, loaded again: a history of item names goes in, the names of
              the ten best items come out, all items scored
    NumPy     the product of one vector with the same number of item vectors, and argpartition:
              what has to be done at least, without a network and without names

Weights are random, sizes those of the default preset. Both are measured in turn on one core, so
that whatever else the machine does slows both; the ratio is the median of the pairs' ratios. What a
request computes is told apart from what it waits for a core that is shared.

    python benchmarks/recommendation.py
    python benchmarks/recommendation.py --items 12101 --history 50
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import paired

from apps.recommendation import config as configs
from apps.suite import process

K = 10


def served_model(
    item_count: int, folder: str, successors: int
) -> Callable[[list[str], bool], object]:
    """Exports random weights of the default's sizes, and loads them as a server would."""
    import tensorflow as tf

    from apps.recommendation import model, serving, transitions

    made, counts = configs.PRESETS["default"], np.arange(item_count, 0, -1)
    names = [f"item {number}" for number in range(item_count)]
    trained = model.build(made, item_count, counts)
    if successors:
        first = np.random.default_rng(2).integers(1, item_count - successors + 2, item_count)
        codes = (first[:, None] + np.arange(successors)).astype(np.int32)
        found = transitions.Successors(
            codes, np.ones(codes.shape, np.float32), np.ones(item_count, np.float32)
        )
        trained = model.joined(trained, successors)
        trained.get_layer("transitions").mix(found, transitions.Mixture(weight=0.1, seen=1.0))
    served = serving.ServedItems(trained, names, None, counts, made.model.history_items)
    tf.saved_model.save(served.saved, folder, served.signatures())
    del served, trained
    loaded = tf.saved_model.load(folder)

    def ask(history: list[str], exclude_seen: bool) -> object:
        return loaded.signatures["serving_default"](
            history=tf.constant([history]),
            k=tf.constant(K),
            exclude_seen=tf.constant(exclude_seen),
        )["items"].numpy()

    return ask


def numpy_product(item_count: int) -> Callable[[], np.ndarray]:
    """The ten best items for a vector that is known already."""
    draw = np.random.default_rng(0)
    units = configs.PRESETS["default"].model.embedding_units
    items = draw.standard_normal((item_count, units), np.float32)
    bias, vector = draw.standard_normal((2, max(item_count, units)), np.float32)
    bias, vector = bias[:item_count], vector[:units]

    def best() -> np.ndarray:
        scores = items @ vector + bias
        top = np.argpartition(scores, item_count - K)[item_count - K :]
        return top[np.argsort(-scores[top])]

    return best


def processor_milliseconds(function: Callable[[], object], calls: int) -> float:
    """Time that the process computes in a call, whatever else the core does in between."""
    spent = []
    for _ in range(calls):
        began = time.process_time()
        function()
        spent.append(time.process_time() - began)
    return float(np.median(spent)) * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[12_101, 1_000_000])
    parser.add_argument("--history", type=int, nargs="+", default=[1, 50])
    parser.add_argument(
        "--transitions", type=int, default=0, help="successors of an item that are joined"
    )
    parser.add_argument("--pairs", type=int, default=31, help="measured in turn (%(default)s)")
    options = parser.parse_args()
    core = paired.pin_to_one_core()
    process.quiet_tensorflow()
    print(f"top {K}, one request of one history, core {core}; milliseconds, medians")
    print(
        "| items | history | seen items left out | served | of these on the processor | NumPy "
        "| served to NumPy |"
    )
    print("|---|---|---|---|---|---|---|")
    for item_count in options.items:
        best = numpy_product(item_count)
        with tempfile.TemporaryDirectory() as folder:
            ask = served_model(item_count, folder, options.transitions)
            for length in options.history:
                numbers = np.random.default_rng(1).integers(item_count, size=length)
                history = [f"item {number}" for number in numbers]
                for exclude_seen in (False, True):
                    served = functools.partial(ask, history, exclude_seen)
                    found = paired.compare(served, best, options.pairs)
                    print(
                        f"| {item_count:,} | {length} | {'yes' if exclude_seen else 'no'} "
                        f"| {found.ours:.2f} | {processor_milliseconds(served, options.pairs):.2f} "
                        f"| {found.theirs:.2f} | {found.ratio:.2f} |",
                        flush=True,
                    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
