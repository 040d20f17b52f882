"""A small translator with large random weights, also as a finished run in a folder.

Nothing is trained: what these tests protect holds for any weights.
"""

import keras
import numpy as np

from apps.suite.runs import files, run_folder
from apps.suite.texts import subwords
from apps.translation import config as configs
from apps.translation import model, trained_model

WITHOUT_DRAWS = {"model": {"dropout": 0.0, "embedding_units": 12, "units": 12}}
PAIRS = (
    ("She sees the old house.", "Elle voit la vieille maison."),
    ("Do they see a cat?", "Voient-ils un chat?"),
    ("We do not see the house, or the cat.", "Nous ne voyons ni la maison ni le chat."),
)
LANGUAGES = ("en", "fr")
RATIO, PENALTY = 1.2, 0.6


def config(**sizes):
    sizes = {
        "embedding_units": 8, "encoder_units": 7, "units": 9, "attention": "general",
        **sizes,
    }  # fmt: skip
    return configs.Config(
        preset="tiny",
        text=configs.TextConfig(source_vocabulary=60, target_vocabulary=60, most_pieces=60),
        model=configs.ModelConfig(dropout=0.0, **sizes),
        search=configs.SearchConfig(beam_width=3),
        training=configs.TrainingConfig(batch_size=2, steps=4, steps_per_checkpoint=2),
    )


def trained(**sizes):
    keras.utils.set_random_seed(0)
    made = config(**sizes)
    source, target = (subwords.learn([pair[side] for pair in PAIRS] * 2, 60) for side in (0, 1))
    network = model.build(made, source.size, target.size)
    draw = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(draw.normal(0, 0.7, weight.shape))
    return trained_model.TrainedModel(network, source, target, RATIO, LANGUAGES, made, PENALTY)


def write(folder, **sizes):
    """Makes `folder` a finished run; returns its model."""
    made = trained(**sizes)
    data = {
        "name": "small",
        "fingerprint": "0",
        "languages": list(LANGUAGES),
        "length_ratio": RATIO,
    }
    with run_folder.start(folder, "translation", made.config, data) as run:
        made.source.save(run.path / trained_model.SOURCE)
        made.target.save(run.path / trained_model.TARGET)
        made.model.save(run.model_file)
        files.write_json(run.path / trained_model.SEARCH, {"length_penalty": PENALTY})
        run.finish_training(1.0)
        run.write_metrics({})
    return made
