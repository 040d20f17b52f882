"""A small recogniser of 8 kHz sound with large random weights, also as a finished run in a folder.

Nothing is trained: what these tests protect holds for any weights.
"""

import json

import keras
import numpy as np

from apps.speech_to_text import config as configs
from apps.speech_to_text import language_model, model, trained_model
from apps.suite.runs import run_folder
from apps.suite.sounds import features

WITHOUT_DRAWS = {
    "model": {"dropout": 0.0, "units": 16},
    "augmentation": {"time_masks": 0, "band_masks": 0},
    "language": {"steps": 0},
}
ALPHABET = (" ", "'", "a", "e", "n", "o", "s", "t")
RATE_HZ = 8_000


def config(kind="log_mel", data="", **sizes):
    return configs.Config(
        preset="tiny",
        data=str(data),
        audio=configs.RecordingConfig(sample_rate_hz=RATE_HZ),
        features=configs.FeatureConfig(
            kind=kind, mel_bands=16, highest_hz=3_800.0, coefficients=12, hop_milliseconds=20.0
        ),
        augmentation=configs.AugmentationConfig(copies=0),
        model=configs.ModelConfig(
            **{"units": 10, "convolution_filters": 4, "layer_count": 2, **sizes}
        ),
        language=configs.LanguageConfig(units=8, steps=4, batch_size=4),
        decoding=configs.DecodingConfig(beam_width=8, paths=4),
        training=configs.TrainingConfig(batch_size=4, steps=4, steps_per_checkpoint=4),
        evaluation=configs.EvaluationConfig(nearest_recordings=5),
    )


def trained(**options):
    made = config(**options)
    channels = features.channel_count(made.features)
    centre, spread = {"log_mel": (-30, 8), "mfcc": (0, 20), "pcen": (0.7, 0.5)}[made.features.kind]
    keras.utils.set_random_seed(0)
    network = model.build(
        made, len(ALPHABET), channels, np.full(channels, centre), np.full(channels, spread**2)
    )
    language = language_model.build(made.language, len(ALPHABET))
    draw = np.random.default_rng(1)
    for weight in [*network.trainable_weights, *language.trainable_weights]:
        weight.assign(draw.normal(0, 0.5, weight.shape))
    kernel, bias = network.get_layer("letters").trainable_weights
    kernel.assign(4 * kernel)
    often = np.zeros(len(ALPHABET) + 1)
    often[0], often[-1] = 1.5, 2.0  # spaces and blanks, as a trained model has them
    bias.assign(often)
    return trained_model.TrainedModel(network, language, ALPHABET, made, 0.4, 0.5)


def sound(seconds, seed=0):
    """Tones that come and go over noise, float32 [samples]."""
    draw = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = draw.normal(0, 0.01, len(times))
    for _ in range(6):
        loud = np.sin(2 * np.pi * draw.uniform(1.0, 4.0) * times + draw.uniform(0, 6)) > 0
        wave += 0.1 * loud * np.sin(2 * np.pi * draw.uniform(100, 3_000) * times)
    return wave.astype(np.float32)


def write(folder, **options):
    """Makes `folder` a finished run; returns its model."""
    made = trained(**options)
    data = {"name": "small", "fingerprint": "0", "alphabet": list(ALPHABET)}
    with run_folder.start(folder, "speech_to_text", made.config, data) as run:
        made.model.save(run.model_file)
        made.language_model.save(run.path / trained_model.LANGUAGE_MODEL)
        weights = {"language_weight": made.language_weight, "word_bonus": made.word_bonus}
        (run.path / trained_model.DECODING).write_text(json.dumps(weights))
        run.finish_training(1.0)
        run.write_metrics({})
    return made
