"""A small recogniser of 8 kHz sound with large random weights, also as a finished run in a folder.

Nothing is trained: what these tests protect holds for any weights.
"""

import keras
import numpy as np

from apps.speech_commands import config as configs
from apps.speech_commands import model, stream_evaluation
from apps.speech_commands.scoring import ClipProbabilities
from apps.suite.runs import run_folder
from apps.suite.sounds import features

WITHOUT_DRAWS = {"model": {"dropout": 0.0, "units": 16}}
NAMES = ("no", "yes", "silence", "unknown")
THRESHOLDS = {"no": 0.5, "yes": 0.3}
RATE_HZ = 8_000
ANY_KIND = [
    {},
    {"layer": "gru", "front_end": "none", "pooling": "mean", "kind": "pcen"},
    {"layer": "lstm", "pooling": "last", "kind": "mfcc"},
]


def config(kind="log_mel", data="", **sizes):
    whole_clips = sizes.get("layer") == "bilstm"
    return configs.Config(
        preset="tiny",
        data=str(data),
        audio=configs.AudioConfig(sample_rate_hz=RATE_HZ, clip_seconds=0.4),
        features=configs.FeatureConfig(
            kind=kind, mel_bands=16, highest_hz=3_800.0, coefficients=12, centre=whole_clips
        ),
        augmentation=configs.AugmentationConfig(copies=0),
        model=configs.ModelConfig(**{"units": 10, "convolution_filters": 4, **sizes}),
        training=configs.TrainingConfig(batch_size=8, steps=4, steps_per_checkpoint=4),
        detection=configs.DetectionConfig(smoothing_seconds=0.1, cool_down_seconds=0.3),
    )


def built(made):
    channels = features.channel_count(made.features)
    center, spread = {"log_mel": (-30, 8), "mfcc": (0, 20), "pcen": (0.7, 0.5)}[made.features.kind]
    keras.utils.set_random_seed(0)
    trained = model.build(
        made, len(NAMES), channels, np.full(channels, center), np.full(channels, spread**2)
    )
    draw = np.random.default_rng(1)
    for weight in trained.trainable_weights:
        weight.assign(draw.normal(0, 0.5, weight.shape))
    kernel, bias = trained.get_layer("evidence").trainable_weights
    kernel.assign(3 * kernel)
    clips = [sound(made.audio.clip_seconds, seed) for seed in range(30)]
    logits = np.log(ClipProbabilities(trained, made)(clips))
    bias.assign(bias - logits.mean(axis=0))  # so that no label always wins
    return trained


def sound(seconds, seed=0):
    """Tones that come and go over noise, float32 [samples]."""
    draw = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = draw.normal(0, 0.01, len(times))
    for _ in range(6):
        loud = np.sin(2 * np.pi * draw.uniform(0.3, 1.2) * times + draw.uniform(0, 6)) > 0
        wave += 0.1 * loud * np.sin(2 * np.pi * draw.uniform(100, 3_000) * times)
    return wave.astype(np.float32)


def write(folder, **sizes):
    """Makes `folder` a finished run; returns its model and config."""
    made = config(**sizes)
    trained = built(made)
    data = {"name": "small", "fingerprint": "0", "label_names": list(NAMES)}
    with run_folder.start(folder, "speech_commands", made, data) as run:
        trained.save(run.model_file)
        if made.streams:
            stream_evaluation.write_thresholds(run.path, THRESHOLDS)
        run.finish_training(1.0)
        run.write_metrics({})
    return trained, made
