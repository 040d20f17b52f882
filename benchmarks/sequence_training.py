"""Training steps of both sequence tasks beside PyTorch: the same network, data and optimizer.

    python benchmarks/sequence_training.py
    python benchmarks/sequence_training.py --only tempo --pairs 15

Each line is a ratio of times, ours to theirs: below 1 we are faster. A step is what a training does
with a batch that is ready: forward, loss, backward, clipping of the gradients, AdamW. Ours is the
task's own network as `fit` runs it; theirs reads the padded batch and leaves the padding out of
what it learns. Both draw dropout. One core, float32, processor time.

    vowels    27 sequences of 7 to 26 steps, 12 channels, to one of 9 labels    (classification)
    tempo     32 sequences of 200 steps, 6 channels, to a value                 (regression)
    engines   16 sequences of 128 to 362 steps, 24 channels, to a value a step  (regression)
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import paired
import tensorflow as tf
import torch
import training_steps

from apps.sequence_classification import config as classification_configs
from apps.sequence_classification import model as classification
from apps.sequence_regression import config as regression_configs
from apps.sequence_regression import model as regression
from apps.suite.networks.config import EncoderConfig
from apps.suite.sequences import encoded_inputs
from apps.suite.training import optimizer


class Case(NamedTuple):
    """A batch, and the sizes of the network that learns it."""

    lengths: np.ndarray
    channels: int
    labels: int  # 0: a value
    per_step: bool
    layers: int
    units: int


CASES = {
    "vowels": Case(np.linspace(7, 26, 27).astype(int), 12, 9, False, 1, 64),
    "tempo": Case(np.full(32, 200), 6, 0, False, 1, 64),
    "engines": Case(np.linspace(128, 362, 16).astype(int), 24, 0, True, 2, 48),
}
_DROPOUT, _LEVELS = 0.3, (0.05, 0.5, 0.95)
_SETTINGS = regression_configs.TrainingConfig(average_fraction=0.0)


def batch(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Draws values, NaN after the ends, and labels (one-hot) or targets."""
    draw = np.random.default_rng(0)
    longest = int(case.lengths.max())
    values = draw.normal(size=(len(case.lengths), longest, case.channels)).astype(np.float32)
    after = np.arange(longest) >= case.lengths[:, None]
    values[after] = np.nan
    if case.labels:
        return values, np.eye(case.labels, dtype=np.float32)[np.arange(len(values)) % case.labels]
    if not case.per_step:
        return values, draw.normal(size=(len(values), 1)).astype(np.float32)
    targets = draw.normal(size=(len(values), longest, 1)).astype(np.float32)
    targets[after] = np.nan
    return values, targets


def ours(case: Case) -> Callable[[], Any]:
    """Returns a function that trains the task's network by a step."""
    keras.utils.set_random_seed(0)
    sizes: dict[str, Any] = {
        "layer": "lstm", "layer_count": case.layers, "units": case.units, "pooling": "mean",
        "dropout": _DROPOUT,
    }  # fmt: skip
    given = encoded_inputs.Inputs(case.channels)
    if case.labels:
        config = classification_configs.Config(model=EncoderConfig(**sizes))
        network = classification.build(config, given, case.labels)
        loss: Any = classification.loss(config)
    else:
        made = regression_configs.Config(
            model=regression_configs.ModelConfig(**sizes),
            target=regression_configs.TargetConfig(per="step" if case.per_step else "sequence"),
        )
        scale = np.zeros(1), np.ones(1)
        network = regression.build(made, given, scale)
        loss = regression.loss(made, scale)
    network.compile(optimizer.optimizer(_SETTINGS), loss)
    return training_steps.of_keras(network, tf.data.Dataset.from_tensors(batch(case)).repeat())


class Peer(torch.nn.Module):
    """The same network in PyTorch."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        dropout = _DROPOUT if case.layers > 1 else 0.0
        self.recurrent = torch.nn.LSTM(
            case.channels, case.units, case.layers, batch_first=True, dropout=dropout
        )
        self.dropout = torch.nn.Dropout(_DROPOUT)
        self.head = torch.nn.Linear(case.units, case.labels or 1 + len(_LEVELS))
        self.lengths = torch.tensor(case.lengths)
        steps = torch.arange(int(case.lengths.max()))
        self.counted = (steps < self.lengths[:, None]).float()[..., None]

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        # Packed sequences were several times slower; of padding behind the end nothing is read
        read = self.recurrent(values)[0] * self.counted
        read = self.dropout(read)
        if not self.case.per_step:
            read = read.sum(dim=1) / self.lengths[:, None]
        return self.head(read)


def theirs(case: Case) -> Callable[[], Any]:
    """Returns a function that trains PyTorch's network by a step."""
    torch.manual_seed(0)
    values, wanted = (torch.from_numpy(each) for each in batch(case))
    values = torch.nan_to_num(values)
    known = torch.isfinite(wanted)[..., 0]
    network = Peer(case)
    levels = torch.tensor(_LEVELS)

    def loss() -> torch.Tensor:
        answers = network(values)
        if case.labels:
            return torch.nn.functional.cross_entropy(answers, wanted)
        quantiles = answers[..., 2:3] + torch.cumsum(
            torch.nn.functional.softplus(answers[..., 1:]), dim=-1
        )
        errors = torch.nan_to_num(wanted) - quantiles
        pinball = torch.maximum(levels * errors, (levels - 1) * errors).sum(dim=-1)
        square = (torch.nan_to_num(wanted)[..., 0] - answers[..., 0]) ** 2
        return ((square + pinball) * known).sum() / known.sum()

    return training_steps.of_torch(network, _SETTINGS, loss)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--pairs", type=int, default=11, help="measurements of each line")
    given = parser.parse_args()
    paired.pin_to_one_core()
    torch.set_num_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch.__version__}")
    print(f"{'':10}{'ours, ms':>10}{'torch, ms':>11}{'ratio':>8}")
    for name, case in CASES.items():
        if given.only in (None, name):
            # Processor time of this process: what else the machine does does not count
            found = paired.compare(ours(case), theirs(case), given.pairs, time.process_time)
            print(f"{name:10}{found.ours:10.1f}{found.theirs:11.1f}{found.ratio:8.2f}", flush=True)


if __name__ == "__main__":
    main()
