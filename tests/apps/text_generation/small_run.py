"""A small language model with large random weights, so that what it writes depends on all it read.

Also as a finished run in a folder. Nothing is trained: what these tests protect holds for any
weights.
"""

import keras
import numpy as np

from apps.suite.runs import run_folder
from apps.suite.texts import tokenizer as vocabulary
from apps.text_generation import config as configs
from apps.text_generation import model, trained_model

WITHOUT_DRAWS = {
    "model": {"dropout": 0.0, "units": 16},
    "training": {"batch_parts": 2, "reset_windows": 4, "window_tokens": 8},
}
TEXT = 'In the beginning God said,\n"Let there be light": and there was light.\n' * 2


def config(**sizes):
    training = configs.TrainingConfig(
        precision=sizes.pop("precision", "float32"),
        batch_size=sizes.pop("batch_size", 2),
        batch_parts=1,
    )
    sizes = {"layer_count": 2, "units": 12, "embedding_units": 7, **sizes}
    return configs.Config(preset="tiny", model=configs.ModelConfig(**sizes), training=training)


def trained(tokenizer="character", **sizes):
    keras.utils.set_random_seed(0)
    learned = vocabulary.learn(tokenizer, 60, TEXT)
    made = config(**sizes)
    streaming = model.build_streaming(made, learned.vocabulary_size)
    spread_weights(streaming)
    return trained_model.TrainedModel(streaming, learned, made)


def spread_weights(made, seed=0):
    draw = np.random.default_rng(seed)
    for weight in made.trainable_weights:
        weight.assign(draw.normal(0, 0.7, weight.shape))


def write(folder, tokenizer="character", **sizes):
    """Makes `folder` a finished run; returns its model."""
    made = trained(tokenizer, **sizes)
    data = {"name": "small", "fingerprint": "0"}
    with run_folder.start(folder, "text_generation", made.config, data) as run:
        made.tokenizer.save(run.path / "tokenizer")
        made.streaming.save(run.model_file)
        run.finish_training(1.0)
        run.write_metrics({})
    return made
