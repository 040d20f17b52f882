"""Finds boxes without a memory: the model's frame-by-frame twin, and what moves (OpenCV's MOG2)."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from apps.object_detection import config as configs
from apps.object_detection import data, model, scoring, steadiness
from apps.suite.runs import files
from apps.suite.training import fit, learning
from apps.suite.videos.opencv import cv2

TWIN, REPEATING = "frame-by-frame twin", "twin that repeats its last boxes"
TRACKED = "twin with a tracker"
MOVING = "moving regions"
_DECAY = 0.5  # of a score that is repeated
_LEAST_AREA = 9  # pixels of what moves


def found(
    corpus: data.Corpus, config: configs.Config, file: Path, threshold: float
) -> dict[str, list[scoring.Found]]:
    """Returns the boxes of the test videos by each baseline.

    Args:
        corpus: the videos.
        config: of the run.
        file: where the twin is kept.
        threshold: score from which a tracker follows a box.
    """
    answers = {}
    if config.evaluation.twin and config.model.memory != "none":
        network = twin(corpus, config, file)
        answers[TWIN] = scoring.Finder(network, config.model.boxes_per_frame)(corpus.test)
        answers[REPEATING] = [repeated(each) for each in answers[TWIN]]
        answers[TRACKED] = [steadiness.tracked(each, threshold) for each in answers[TWIN]]
    answers[MOVING] = moving(corpus.train, corpus.test)
    return answers


def twin(corpus: data.Corpus, config: configs.Config, file: Path) -> keras.Model:
    """Returns the same network, trained alike, whose memory is empty before every frame.

    A training that was interrupted goes on; as the model's, its weights are those with the best
    AP50 on the validation part.
    """
    if file.is_file():
        return keras.models.load_model(file, compile=False)
    alone = dataclasses.replace(config, model=dataclasses.replace(config.model, memory="none"))
    fit.seed_everything(config.seed)
    classes = len(corpus.label_names)
    learner, network = model.build_training(alone, classes), model.build(alone, classes)
    folder: Any = TwinFolder(file.with_suffix(""))  # no run of its own: it has no config
    for each in (folder.checkpoints, folder.tensorboard):
        files.make_folder(each)
    find = scoring.Finder(network, config.model.boxes_per_frame)

    def validate() -> dict[str, float]:
        return scoring.of_validation(corpus.validation, find(corpus.validation), classes)

    learning.learn(
        learner,
        lambda first_step: data.batches(corpus.train, classes, alone, first_step),
        config.training,
        folder,
        validate,
        saved=network,
        copied=lambda: model.copy_weights(learner, network),
        monitor="validation_ap50",
        higher_is_better=True,
    )
    folder.model_file.replace(file)
    shutil.rmtree(folder.path)
    return keras.models.load_model(file, compile=False)


class TwinFolder:
    """Holds a training of the twin until it is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints, self.tensorboard = path / "checkpoints", path / "tensorboard"
        self.history_file, self.model_file = path / "history.csv", path / "model.keras"


def repeated(found: scoring.Found) -> scoring.Found:
    """Adds to each frame's boxes those of the frame before, with half of their scores."""
    boxes, scores, classes = found
    before = np.concatenate([np.zeros_like(scores[:1]), scores[:-1] * _DECAY])
    both = np.concatenate([scores, before], axis=1)
    order = np.argsort(-both, axis=1, kind="stable")[:, : scores.shape[1]]
    earlier = [np.concatenate([each[:1], each[:-1]]) for each in (boxes, classes)]
    whole = [np.concatenate(pair, axis=1) for pair in zip((boxes, classes), earlier, strict=True)]
    return scoring.Found(
        np.take_along_axis(whole[0], order[..., None], axis=1),
        np.take_along_axis(both, order, axis=1),
        np.take_along_axis(whole[1], order, axis=1),
    )


def moving(train: Sequence[data.Video], test: Sequence[data.Video]) -> list[scoring.Found]:
    """Returns boxes around what differs from the background, a mixture of Gaussians.

    The larger a region, the higher its score. For cameras that stand still.
    """
    labels = np.concatenate([each.labels[each.labels >= 0] for each in train])
    kind = int(np.bincount(labels).argmax()) if len(labels) else 0
    most, answers = 20, []
    for video in test:
        subtractor = cv2.createBackgroundSubtractorMOG2(history=50, detectShadows=False)
        count, (height, width) = len(video.frames), video.frames.shape[1:3]
        boxes, scores = np.zeros((count, most, 4), np.float32), np.zeros((count, most), np.float32)
        for t, frame in enumerate(video.frames):
            mask = subtractor.apply(np.ascontiguousarray(frame))
            _, _, regions, _ = cv2.connectedComponentsWithStats(mask)
            large = sorted(regions[1:].tolist(), key=lambda each: -each[4])[:most]
            for at, (left, top, wide, high, area) in enumerate(large):
                if t and area >= _LEAST_AREA:
                    boxes[t, at] = (left / width, top / height,
                                    (left + wide) / width, (top + high) / height)  # fmt: skip
                    scores[t, at] = area / (height * width)
        answers.append(scoring.Found(boxes, scores, np.full((count, most), kind, np.int32)))
    return answers
