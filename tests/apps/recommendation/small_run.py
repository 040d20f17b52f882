"""A small model of a shop with awkward item names and large random weights, also as a run.

Nothing is trained: what these tests protect holds for any weights.
"""

import keras
import numpy as np

from apps.recommendation import config as configs
from apps.recommendation import model, trained_model, transitions
from apps.suite.runs import run_folder

WITHOUT_DRAWS = {"model": {"dropout": 0.0, "embedding_dropout": 0.0}}
AWKWARD = (
    "two words", 'a "quoted" one', "it's", "müsli", "牛乳", "хлеб", "لبن", " blank before",
    "blank behind ", "comma,comma", "tab\there", "-1", "007", "7", "null", "{'json': []}", "🥛",
    "unknown", "0", "line\u2028separator",
)  # fmt: skip
NAMES = (*AWKWARD, *(f"item {number}" for number in range(40)))
TITLES = tuple(f"title of {name}" if at % 3 else "" for at, name in enumerate(NAMES))
# Some are equally popular
COUNTS = np.sort(np.random.default_rng(0).integers(1, 30, len(NAMES)))[::-1].astype(np.int64)
HISTORY_ITEMS = 6


def config(**sizes):
    sizes = {
        "units": 11,
        "embedding_units": 7,
        "layer_count": 2,
        "history_items": HISTORY_ITEMS,
        "transitions": 5,
        **sizes,
    }
    return configs.Config(preset="tiny", model=configs.ModelConfig(**sizes))


def built(made, item_counts=COUNTS):
    keras.utils.set_random_seed(0)
    trained = model.build(made, len(item_counts), item_counts)
    draw = np.random.default_rng(1)
    for weight in trained.trainable_weights:
        weight.assign(draw.normal(0, 0.7, weight.shape))
    return joined(trained, made.model.transitions) if made.model.transitions else trained


def joined(trained, width):
    """The model with drawn counts, some of which outweigh it; half of the items have fewer."""
    draw, items = np.random.default_rng(2), trained.output.shape[-1]
    codes = np.stack([draw.permutation(items)[:width] + 1 for _ in range(items)]).astype(np.int32)
    counts = draw.integers(1, 30, codes.shape).astype(np.float32)
    codes[::2, 2:], counts[::2, 2:] = codes[::2, :1], counts[::2, :1]
    found = transitions.Successors(codes, counts, counts.sum(axis=1))
    trained = model.joined(trained, width)
    mixture = transitions.Mixture(weight=0.02, decay=0.7, seen=1.5)
    trained.get_layer("transitions").mix(found, mixture)
    return trained


def write(folder, **sizes):
    """Makes `folder` a finished run; returns its model and config."""
    made = config(**sizes)
    trained = built(made)
    data = {"name": "small", "fingerprint": "0"}
    with run_folder.start(folder, "recommendation", made, data) as run:
        trained_model.write_items(run.path, trained_model.Items(NAMES, TITLES, COUNTS))
        trained.save(run.model_file)
        run.finish_training(1.0)
        run.write_metrics({})
    return trained, made
