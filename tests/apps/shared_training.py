"""A small training that processes or devices share: an LSTM, averaged weights, a plateau."""

import dataclasses
import pathlib
import time
from typing import Any

from apps.suite.commands import command
from apps.suite.distribution import distribution
from tests.apps import processes, small_training

BATCH = small_training.BATCH


@dataclasses.dataclass(frozen=True)
class Config:
    preset: str = "tiny"
    seed: int = 0


def run(
    path: pathlib.Path, kind: distribution.Kind, devices: int = 1, seconds_a_batch: float = 0.0
) -> int:
    """Trains in this process to the end; returns the exit status of a command."""

    def train() -> None:
        processes.divide_cpu(devices)
        with distribution.begun(kind, BATCH):
            _train(path, seconds_a_batch)

    return command.exit_status(train)


def begin_run(path: pathlib.Path, seed: int) -> int:
    """Opens a run folder together with others, and agrees with them once more."""

    def begin() -> None:
        from apps.suite.runs import run_folder

        data = {"name": "a_set", "fingerprint": "1234"}
        with (
            distribution.begun("multiworker", BATCH),
            run_folder.start(path, "some_task", Config(seed=seed), data),
        ):
            distribution.from_chief(lambda: None)

    return command.exit_status(begin)


def _train(path: pathlib.Path, seconds_a_batch: float) -> None:
    import keras

    from apps.suite.training import fit

    fit.seed_everything(3)
    with distribution.scope():
        model = keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                keras.layers.Embedding(small_training.TOKENS, 8),
                keras.layers.LSTM(16, return_sequences=True, use_cudnn=False),
                keras.layers.Dense(small_training.TOKENS),
            ]
        )
        model.compile(
            keras.optimizers.AdamW(0.05, use_ema=True, ema_momentum=0.8, global_clipnorm=0.1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
    folder = small_training.folder_of(path)

    class Pace(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            time.sleep(seconds_a_batch)

        def on_train_end(self, logs: Any = None) -> None:
            _keep(model, folder.final)

    # Nothing improves by 1, so the rate falls at every checkpoint after the first
    plateau = keras.callbacks.ReduceLROnPlateau(
        "validation_loss", factor=0.8, patience=1, min_delta=1.0, mode="min"
    )
    fit.fit(
        model,
        small_training.batches,
        steps=24,
        steps_per_checkpoint=4,
        folder=folder,
        validate=small_training.validate,
        save_best=lambda best: small_training.save(best, folder.model_file),
        callbacks=[plateau, Pace()],
    )


def _keep(model: Any, file: pathlib.Path) -> None:
    """Every variable that the training ends with; all workers come here, the chief writes."""
    import numpy as np

    from apps.suite.training import checkpoints

    state = checkpoints.collect(model, [])
    if distribution.is_chief():
        np.savez(file, *state["variables"], *state["optimizer"])
