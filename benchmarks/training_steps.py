"""Steps of training to be timed: the one that Keras's `fit` runs, and its peer in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf
import torch

from apps.suite.training import optimizer


def of_keras(model: keras.Model, batches: tf.data.Dataset) -> Callable[[], object]:
    """Returns a function that trains a compiled model by a step, on the next batch."""
    model.make_train_function()
    step, iterator = model.train_function, iter(batches)
    return lambda: step(iterator)


def of_torch(
    module: torch.nn.Module, settings: optimizer.Settings, loss: Callable[[], torch.Tensor]
) -> Callable[[], object]:
    """Returns a function that trains a module by a step of AdamW under the settings' bound.

    Rate and decay are the settings' as well; weights are not averaged, and the rate is constant.
    """
    adam = torch.optim.AdamW(
        module.parameters(),
        settings.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=settings.weight_decay,
    )

    def step() -> None:
        module.train()
        adam.zero_grad()
        loss().backward()
        if settings.gradient_clip_norm:
            torch.nn.utils.clip_grad_norm_(module.parameters(), settings.gradient_clip_norm)
        adam.step()

    return step
