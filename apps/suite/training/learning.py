"""Trains as a config's group says, and saves the best weights in the run folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.suite.runs import files, run_folder
from apps.suite.runs.config import TrainingConfig
from apps.suite.training import fit, history, optimizer


def compiled(network: keras.Model, settings: TrainingConfig, loss: Any) -> keras.Model:
    """Compiles a network with the optimizer of the settings, and returns it."""
    network.compile(optimizer.optimizer(settings), loss, jit_compile=settings.jit_compile)
    return network


def learn(
    network: keras.Model,
    batches: Callable[[int], tf.data.Dataset],
    settings: TrainingConfig,
    folder: run_folder.RunFolder[Any],
    validate: Callable[[], Mapping[str, float]],
    *,
    saved: keras.Model | None = None,
    copied: Callable[[], None] = lambda: None,
    **further: Any,
) -> history.History:
    """Calls `fit.fit` for the steps of the settings; the best weights end in model.keras.

    Args:
        network: compiled.
        batches: see `fit.fit`.
        settings: steps, checkpoints and patience.
        folder: of the run.
        validate: returns the metrics of the validation part with the weights of the moment.
        saved: the model that is saved, where it is not the one that learns.
        copied: gives `saved` the weights of the moment, where it has weights of its own; called
            before each validation and each saving.
        further: arguments of `fit.fit`, such as `monitor`.
    """

    def save_best(learner: keras.Model) -> None:
        copied()
        with files.replacing(folder.model_file) as partial:
            (saved or learner).save(partial)

    def judged(_: keras.Model) -> Mapping[str, float]:
        copied()
        return validate()

    return fit.fit(
        network,
        batches,
        steps=settings.steps,
        steps_per_checkpoint=settings.steps_per_checkpoint,
        folder=folder,
        save_best=save_best,
        validate=judged,
        patience_checkpoints=settings.patience_checkpoints,
        **further,
    )


def in_memory(
    network: keras.Model,
    batches: Iterator[Any],
    steps: Iterable[int],
    every: int,
    validate: Callable[[], float],
) -> None:
    """Trains a baseline, which no folder keeps; it ends with the weights of the lowest loss.

    Args:
        network: compiled.
        batches: what `train_on_batch` takes, as many as there are steps.
        steps: numbers of the steps, from 1 on.
        every: steps from one validation to the next; the last step has one in any case.
        validate: returns the loss of the validation part with the weights of the moment.
    """
    lowest, best, step = np.inf, network.get_weights(), 0

    def judge() -> None:
        nonlocal lowest, best
        loss = validate()
        if loss < lowest:
            lowest, best = loss, network.get_weights()

    for step in steps:
        network.train_on_batch(*next(batches))
        if step % every == 0:
            judge()
    if step % every:
        judge()
    network.set_weights(best)
