"""A step of a task's own training beside the same network trained in PyTorch, as a ratio of times.

Ours is the step that the task's command runs: its network, loss, optimizer and states, by Keras's
`fit`. Theirs is what one would write instead: the same layers without peepholes (torch has none),
the same loss, AdamW with the same bound of the gradients' norm. Both start from the same weights,
ours with peepholes of zero, and must have the same loss without dropout before anything is timed.
Batches are random numbers in the shapes of the task's data.

    python benchmarks/task_networks.py
    python benchmarks/task_networks.py --cores all --pairs 15

A ratio below 1 means that the task trains faster. `sequence_training.py` does the same for the two
sequence tasks.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import paired
import tensorflow as tf
import torch
import training_steps

import lstm_layers
from apps.anomaly_detection import config as anomaly_configs
from apps.anomaly_detection import model as anomaly_model
from apps.recommendation import config as recommendation_configs
from apps.recommendation import model as recommendation_model
from apps.recommendation import training_model as recommendation_training
from apps.suite import process
from apps.suite.training import optimizer
from apps.text_generation import config as text_configs
from apps.text_generation import model as text_model

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_TOKENS = {"default": 2_000, "medium": 65}  # subwords of one, characters of the other
_ITEMS, _COLUMNS = 10_000, 8


class Pair(NamedTuple):
    """A task's training and its twin: a step of each, and the loss of each without dropout."""

    what: str
    rows: int
    ours: Callable[[], object]
    theirs: Callable[[], object]
    our_loss: float
    their_loss: float


class TextNetwork(torch.nn.Module):
    """Embedding, LSTM layers, and logits by a projection and the embedding, or by a product."""

    def __init__(self, config: text_configs.ModelConfig, tokens: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(tokens, config.embedding_units)
        self.embedding_dropout = torch.nn.Dropout(config.embedding_dropout)
        self.recurrent = torch.nn.LSTM(
            config.embedding_units,
            config.units,
            config.layer_count,
            batch_first=True,
            dropout=config.dropout if config.layer_count > 1 else 0.0,
        )
        self.dropout = torch.nn.Dropout(config.dropout)
        self.tied = config.tie_embeddings
        width = config.embedding_units if self.tied else tokens
        self.last = torch.nn.Linear(config.units, width, bias=not self.tied)

    def forward(self, tokens: torch.Tensor, states: Any) -> tuple[torch.Tensor, Any]:
        values, states = self.recurrent(self.embedding_dropout(self.embedding(tokens)), states)
        values = self.last(self.dropout(values))
        return values @ self.embedding.weight.T if self.tied else values, states


class ItemNetwork(torch.nn.Module):
    """GRU4Rec with a tied table, a normalisation and a softmax over all items."""

    def __init__(self, config: recommendation_configs.ModelConfig, items: int) -> None:
        super().__init__()
        self.items = torch.nn.Embedding(items + 1, config.embedding_units, padding_idx=0)
        self.embedding_dropout = torch.nn.Dropout(config.embedding_dropout)
        self.recurrent = torch.nn.GRU(config.embedding_units, config.units, batch_first=True)
        self.dropout = torch.nn.Dropout(config.dropout)
        self.normalisation = torch.nn.LayerNorm(config.units, eps=1e-3)
        self.bias = torch.nn.Parameter(torch.zeros(items))

    def forward(self, history: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
        values, _ = self.recurrent(self.embedding_dropout(self.items(history)))
        asked = following > 0
        vectors = self.normalisation(self.dropout(values)[asked])
        scores = vectors @ self.items.weight[1:].T + self.bias
        return torch.nn.functional.cross_entropy(scores, following[asked] - 1)


class ForecastingNetwork(torch.nn.Module):
    """LSTM over values and whether they were observed, and a change of the present ones."""

    def __init__(self, config: anomaly_configs.ModelConfig, columns: int) -> None:
        super().__init__()
        self.recurrent = torch.nn.LSTM(2 * columns, config.units, batch_first=True)
        self.dropout = torch.nn.Dropout(config.dropout)
        self.change = torch.nn.Linear(config.units, columns)
        self.held = torch.nn.Parameter(torch.ones(columns))

    def forward(self, values: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.recurrent(torch.cat([values, observed], dim=2))
        return self.change(self.dropout(outputs)) + self.held * values


def text(preset: str, cores: int) -> Pair:
    config = text_configs.PRESETS[preset]
    settings = dataclasses.replace(config.training, precision="float32")
    config = dataclasses.replace(config, training=settings)
    parts = min(settings.batch_parts, cores)
    vocabulary = _TOKENS[preset]
    ours = text_model.build(config, vocabulary, parts)
    ours.compile(optimizer.optimizer(settings), jit_compile=settings.jit_compile)
    theirs = TextNetwork(config.model, vocabulary)
    layers = {layer.name: layer for layer in ours.streaming.layers}
    recurrent = [layer for name, layer in layers.items() if name.startswith("recurrent_")]
    _same_weights(recurrent, theirs.recurrent)
    _copy(layers["embedding"].weights[0], theirs.embedding.weight)
    last = layers["output_projection" if config.model.tie_embeddings else "logits"]
    _copy_dense(last, theirs.last)
    draw = np.random.default_rng(0)
    size = (settings.batch_size, settings.window_tokens)
    tokens, following = draw.integers(0, vocabulary, (2, *size))
    y = torch.from_numpy(following)

    def loss(states: Any) -> tuple[torch.Tensor, Any]:
        logits, states = theirs(torch.from_numpy(tokens), states)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()), states

    carried: list[Any] = [None]

    def their_loss() -> torch.Tensor:
        value, states = loss(carried[0])
        carried[0] = tuple(state.detach() for state in states)
        return value

    said = ours(tf.constant(tokens, tf.int32), training=False)
    our_loss = float(ours.compute_loss(None, tf.constant(following, tf.int32), said))
    theirs.eval()
    alone = loss(None)[0].item()
    batches = tf.data.Dataset.from_tensors(
        (tokens.astype(np.int32), following.astype(np.int32))
    ).repeat()
    return Pair(
        f"text generation, {preset}",
        size[0],
        training_steps.of_keras(ours, batches),
        training_steps.of_torch(theirs, settings, their_loss),
        our_loss,
        alone,
    )


def recommendation() -> Pair:
    config = recommendation_configs.PRESETS["default"]
    settings = dataclasses.replace(config.training, precision="float32")
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, repeats=False), training=settings
    )
    network = recommendation_model.build(config, _ITEMS)
    ours = recommendation_training.NextItemTraining(network, config, np.ones(_ITEMS))
    ours.compile(optimizer.optimizer(settings), jit_compile=settings.jit_compile)
    theirs = ItemNetwork(config.model, _ITEMS)
    layers = recommendation_model.layers_of(network)
    _same_weights([layers["recurrent_0"]], theirs.recurrent)
    with torch.no_grad():
        theirs.items.weight[1:] = torch.from_numpy(layers["items"].embeddings.numpy())
    draw = np.random.default_rng(0)
    history = draw.integers(1, _ITEMS + 1, (settings.batch_size, config.model.history_items))
    lengths = draw.integers(2, config.model.history_items + 1, settings.batch_size)
    history[np.arange(history.shape[1]) >= lengths[:, None]] = 0
    following = np.where(history > 0, np.roll(history, -1, axis=1), 0)
    following[:, -1] = 0
    given = {"history": tf.constant(history, tf.int32)}
    said = ours(given, training=False)
    our_loss = float(ours.compute_loss(given, tf.constant(following, tf.int32), said))
    x, y = torch.from_numpy(history), torch.from_numpy(following)
    theirs.eval()
    alone = theirs(x, y).item()
    batches = tf.data.Dataset.from_tensors(
        ({"history": history.astype(np.int32)}, following.astype(np.int32))
    ).repeat()
    return Pair(
        "recommendation, default without repeats",
        len(history),
        training_steps.of_keras(ours, batches),
        training_steps.of_torch(theirs, settings, lambda: theirs(x, y)),
        our_loss,
        alone,
    )


def anomaly_detection() -> Pair:
    config = anomaly_configs.PRESETS["default"]
    settings = config.training
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, season_steps=0))
    ours = anomaly_model.build(config, _COLUMNS, _COLUMNS)
    ours.compile(optimizer.optimizer(settings), jit_compile=settings.jit_compile)
    ours.network.get_layer("scaling").fit(
        np.zeros(_COLUMNS, np.float32), np.ones(_COLUMNS, np.float32)
    )
    theirs = ForecastingNetwork(config.model, _COLUMNS)
    _same_weights(ours.network.get_layer("recurrent").recurrent_layers, theirs.recurrent)
    with torch.no_grad():
        theirs.change.weight.zero_()
        theirs.change.bias.zero_()
    draw = np.random.default_rng(0)
    size = (settings.batch_size, config.stretch_steps, _COLUMNS)
    values = draw.normal(size=size).astype(np.float32)
    observed = np.ones(size, bool)
    given = (tf.constant(values), tf.constant(observed))
    our_loss = float(ours.compute_loss(given, None, ours(given, training=False)))
    x, seen = torch.from_numpy(values), torch.ones(size)
    begin = settings.burn_in_steps

    def loss() -> torch.Tensor:
        error = theirs(x, seen)[:, begin:-1] - x[:, begin + 1 :]
        return (error**2).mean()

    theirs.eval()
    alone = loss().item()
    batches = tf.data.Dataset.from_tensors(((values, observed),)).repeat()
    return Pair(
        "anomaly detection, default without season",
        size[0],
        training_steps.of_keras(ours, batches),
        training_steps.of_torch(theirs, settings, loss),
        our_loss,
        alone,
    )


def _same_weights(layers: list[Any], module: torch.nn.Module) -> None:
    """Gives torch's layers the weights of ours, whose peepholes become zeros."""
    for depth, layer in enumerate(layers):
        weights = layer.get_weights()
        for place, weight in enumerate(layer.weights):
            if "peephole" in weight.name:
                weights[place] = np.zeros_like(weights[place])
        layer.set_weights(weights)
        for name, array in lstm_layers.to_torch(layer).items():
            _copy(array, getattr(module, name.replace("_l0", f"_l{depth}")))


def _copy(array: Any, parameter: torch.nn.Parameter) -> None:
    with torch.no_grad():
        parameter.copy_(torch.tensor(np.asarray(array)))


def _copy_dense(layer: keras.layers.Dense, module: torch.nn.Linear) -> None:
    _copy(np.asarray(layer.kernel).T, module.weight)
    if layer.use_bias:
        _copy(layer.bias, module.bias)


CASES: dict[str, Callable[[int], Pair]] = {
    "default text": lambda cores: text("default", cores),
    "medium text": lambda cores: text("medium", cores),
    "items": lambda cores: recommendation(),
    "readings": lambda cores: anomaly_detection(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CASES, help="one line of the table")
    parser.add_argument("--cores", choices=["one", "all"], default="one")
    parser.add_argument("--pairs", type=int, default=9, help="measurements of each line")
    options = parser.parse_args()
    if options.only is None:
        print(
            f"TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch.__version__}; "
            f"{options.cores} of {os.cpu_count()} cores; median of {options.pairs} pairs\n"
        )
        print("| task | rows of a step | ours, ms | torch, ms | ratio |\n|---|---|---|---|---|")
        sys.stdout.flush()
        for name in CASES:  # each in a process of its own: tasks divide the cores in their own ways
            command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
            subprocess.run(command, check=True)
        return
    cores = paired.cores(options.cores)
    torch.set_num_threads(cores)
    if options.cores == "one":
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    elif "text" in options.only:
        process.divide_cores(2)
    pair = CASES[options.only](cores)
    if abs(pair.our_loss - pair.their_loss) > 1e-3 * abs(pair.their_loss):
        sys.exit(f"{pair.what}: the losses are {pair.our_loss:.5f} and {pair.their_loss:.5f}")
    found = paired.compare(pair.ours, pair.theirs, options.pairs)
    print(
        f"| {pair.what} | {pair.rows} | {found.ours:.1f} | {found.theirs:.1f} | "
        f"**{found.ratio:.2f}** |"
    )


if __name__ == "__main__":
    main()
