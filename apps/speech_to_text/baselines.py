"""Measures simple baselines on the same recordings and split as the model.

    most_frequent_text      the text that the training part has most often, whatever is said
    nearest_recording       the text of the training recording that sounds most alike
    convolutional_twin      the model with convolutions in the place of its memory, where asked for

Alike is what dynamic time warping brings to the smallest mean distance (Sakoe and Chiba 1978): with
cepstra a_s and b_t of two recordings, less their means over time, and steps to the next frame of
one or of both,

    D(s, t) = |a_s - b_t| + min(D(s - 1, t), D(s, t - 1), D(s - 1, t - 1))

A sentence that was never learned cannot be found so: that is the point.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import keras
import librosa
import numpy as np

from apps.speech_to_text import config as configs
from apps.speech_to_text import data, model, scoring
from apps.suite.commands import progress
from apps.suite.data import division
from apps.suite.sounds import feature_cache
from apps.suite.training import learning, optimizer

_COEFFICIENTS = 13
_POOLED_FRAMES = 4  # whose mean is one frame of the comparison
_FAR = np.float32(1e9)


def most_frequent(train: Sequence[str], count: int) -> list[str]:
    """Returns the text that stands most often in training, `count` times."""
    return [collections.Counter(train).most_common(1)[0][0]] * count


def nearest(
    learned: data.Examples, texts: Sequence[str], asked: data.Examples, most: int, seed: int
) -> list[str]:
    """Returns for each recording the text of the training recording that is nearest.

    Args:
        learned: of the training part; only unaltered recordings are compared.
        texts: of the training part.
        asked: recordings of the test part.
        most: training recordings that are compared, drawn at random.
        seed: of the draw.
    """
    unaltered = np.unique(learned.features.recordings, return_index=True)[1]
    names = {str(at): at for at in range(len(unaltered))}
    drawn = [names[name] for name in division.in_drawn_order(names, seed, "nearest")[:most]]
    known = [_cepstra(learned.features, unaltered[at]) for at in drawn]
    lengths = np.array([len(each) for each in known])
    longest = int(lengths.max())
    table = np.stack([np.pad(each, ((0, longest - len(each)), (0, 0))) for each in known])
    found = []
    count = len(asked.features.labels)
    for at in progress.watched(range(count), "baselines: nearest recording", count):
        far = _warped(_cepstra(asked.features, at), table, lengths)
        found.append(texts[drawn[int(far.argmin())]])
    return found


def _cepstra(features: feature_cache.FeatureSet, example: int) -> np.ndarray:
    """Returns cepstra less their means over time, float32 [frames / 4, 12]."""
    frames = features.frames[features.starts[example] : features.starts[example + 1]]
    whole = max(1, len(frames) // _POOLED_FRAMES)
    pooled = np.stack([part.mean(axis=0) for part in np.array_split(frames, whole)])
    count = min(_COEFFICIENTS, pooled.shape[1])
    cepstra = librosa.feature.mfcc(S=pooled.T, n_mfcc=count).T[:, 1:]
    return (cepstra - cepstra.mean(axis=0)).astype(np.float32)


def _warped(one: np.ndarray, others: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns the distance of one recording to each of many, float32 [recordings].

    Args:
        one: float32 [s, coefficients].
        others: float32 [recordings, t, coefficients], padded.
        lengths: of the others.
    """
    squares = (one**2).sum(axis=1)[:, None, None] + (others**2).sum(axis=2)[None]
    products = np.tensordot(one, others, axes=(1, 2))
    costs = np.sqrt(np.maximum(squares - 2 * products, 0))  # [s, recordings, t]
    row = np.full(costs.shape[1:], _FAR)
    for at, cost in enumerate(costs):
        before = np.pad(row, ((0, 0), (1, 0)), constant_values=_FAR)[:, :-1]
        if at == 0:
            before[:, 0] = 0.0
        from_above = np.minimum(row, before)
        row = np.empty_like(row)
        last = np.full(len(row), _FAR)
        for place in range(cost.shape[1]):
            last = cost[:, place] + np.minimum(from_above[:, place], last)
            row[:, place] = last
    far = row[np.arange(len(row)), lengths - 1]
    return far / (len(one) + lengths)


def twin(
    learned: data.Examples,
    held_out: data.Examples,
    asked: data.Examples,
    config: configs.Config,
    alphabet: tuple[str, ...],
) -> list[str]:
    """Trains the twin as the model was trained, and returns what its likeliest paths say.

    The weights with the lowest validation loss answer.
    """
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, layer="convolution")
    )
    settings = config.training
    keras.utils.set_random_seed(config.seed)
    mean, variance = feature_cache.statistics(learned.features)
    network = model.compiled(
        model.build(config, len(alphabet), len(mean), mean, variance),
        optimizer.optimizer(settings),
        config,
        len(learned.labels) / len(learned.features.labels),
    )
    validate, steps = scoring.Validation(network, held_out, alphabet), settings.steps
    learning.in_memory(
        network,
        iter(data.batches(learned, config, np.asarray(mean))),
        progress.watched(range(1, steps + 1), "baselines: convolutional twin", steps),
        settings.steps_per_checkpoint,
        lambda: validate()["loss"],
    )
    return scoring.Validation(network, asked, alphabet).heard()[1]
