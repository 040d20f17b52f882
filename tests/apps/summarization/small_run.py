"""A small summarizer with large random weights, also as a finished run in a folder.

Nothing is trained: what these tests protect holds for any weights.
"""

import keras
import numpy as np

from apps.suite.runs import run_folder
from apps.suite.texts import subwords
from apps.summarization import config as configs
from apps.summarization import model, trained_model

WITHOUT_DRAWS = {"model": {"dropout": 0.0, "embedding_units": 12, "units": 12}}
TEXTS = (
    "Keeps the last state of every row, and forgets what was before it.",
    "Returns the sum of all numbers; rows without a number have 0.",
    "A library that reads sounds, and a program that plays them.",
)


def config(copying=True, **search):
    options = {"beam_width": 2, "min_words": 1, "max_words": 8, **search}
    return configs.Config(
        preset="tiny",
        text=configs.TextConfig(vocabulary_size=120, most_text_pieces=24, most_summary_pieces=10),
        model=configs.ModelConfig(embedding_units=6, encoder_units=5, units=7, copying=copying),
        search=configs.SearchConfig(**options),
        training=configs.TrainingConfig(batch_size=2, steps=4, steps_per_checkpoint=2),
    )


def trained(**options):
    keras.utils.set_random_seed(0)
    made = config(**options)
    learned = subwords.learn(TEXTS, made.text.vocabulary_size)
    network = model.build(made, learned.size)
    draw = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(draw.normal(0, 0.7, weight.shape))
    return trained_model.TrainedModel(network, learned, made)


def write(folder, **options):
    """Makes `folder` a finished run; returns its model."""
    made = trained(**options)
    data = {"name": "small", "fingerprint": "0", "licence": "", "source": ""}
    with run_folder.start(folder, "summarization", made.config, data) as run:
        (run.path / trained_model.VOCABULARY).mkdir()
        made.vocabulary.save(run.path / trained_model.VOCABULARY)
        made.model.save(run.model_file)
        run.finish_training(1.0)
        run.write_metrics({})
    return made
