"""Builds the task's part of the model card: by class, against its twin, strips of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.object_detection import config as configs
from apps.object_detection import data, measures, pictures, predict, scoring, trained_model
from apps.suite.evaluation import comparison, plots, report
from apps.suite.runs import run_folder

_LETTERS = 0.9  # of labels, in frames that are shown small
_STEADY = {
    "found_share": "found",
    "gaps_in_100_frames": "gaps",
    "longest_gap": "longest",
    "frames_until_found": "until found",
    "jitter_in_pixels": "jitter",
}
_MEANING = {
    "ap50": "Area below the curve of precision over recall, where a box is right if it covers an "
    "object of its class by half (intersection over union), at 101 recalls, as COCO has it; the "
    "mean over the classes.",
    "ap": "The same, the mean over the overlaps .5, .55, … .95.",
    "ap50 of failed frames": "AP50 in the frames that are known to have failed.",
    "ap50 of other frames": "AP50 in all other frames.",
    "gaps in 100 frames": "How often an object is lost and found again, in a hundred frames of it; "
    "it is found where a box of its class, with at least the threshold's score, covers it by half.",
    "frames until found": "Frames of an object before the first in which it is found; the mean "
    "over the objects that are.",
    "found share": "Share of an object's frames in which it is found.",
    "longest gap": "Frames of the longest gap of an object, the mean over the objects that are "
    "found at all.",
    "jitter in pixels": "How far the error of the box's middle moves from a frame to the next.",
    "tracked": "With the boxes of a tracker (`predict` follows objects with the same one): an "
    "object that is lost goes on along a straight line for up to five frames.",
    "frame-by-frame twin": "The same network, trained alike, whose memory is empty before every "
    "frame. What it lacks is what the memory is worth.",
    "twin that repeats its last boxes": "The twin, which tells the boxes of the frame before once "
    "more, with half of their scores.",
    "twin with a tracker": "The twin, and a tracker that goes on along a straight line where an "
    "object is lost.",
    "moving regions": "Regions that differ from the background, by "
    "OpenCV's MOG2, all with the most frequent label.",
}
_LIMITS = (
    "The numbers hold for videos like the test part's: its cameras, sizes and paces. A gain of "
    "memory that was measured on made clips shows that the model can remember, and no more.",
    "Gaps depend on the threshold: a higher one makes more of them.",
    "One run with one seed: a difference in the third digit may be chance.",
)


def card(
    folder: run_folder.RunFolder[configs.Config],
    corpus: data.Corpus,
    metrics: Mapping[str, Any],
    found: Sequence[scoring.Found],
    trained: trained_model.TrainedModel,
) -> report.Card:
    """Draws the plots, and returns the model card."""
    names, config = corpus.label_names, folder.config.model
    matches = measures.match(scoring.frames_of(corpus.test, found), len(names))
    by_class = measures.by_class(matches)
    objects = matches.objects.sum(axis=0)
    told = [at for at in range(len(names)) if objects[at]]
    memory = "a convolutional LSTM over the frames" if config.memory != "none" else "no memory"
    return report.Card(
        title="Object detection",
        summary=f"A detector of boxes in every frame of a video: convolutions of each frame, "
        f"{memory}, and maps of the boxes' middles. It learned from {corpus.name}.",
        facts={
            "parameters": f"{trained.model.count_params():,}",
            "AP": comparison.number(metrics["test"]["ap"]),
            "threshold": f"{trained.threshold:g}",
        },
        data={"Licence": corpus.licence, "Source": corpus.source},
        results=[
            plots.model_and_baselines(folder.plots, metrics, "AP50"),
            report.Table(
                "By class.",
                ["class", "AP50", "AP", "objects in the test frames"],
                [
                    [names[at], comparison.number(float(by_class[at, 0])),
                     comparison.number(float(by_class[at].mean())), f"{objects[at]:,}"]
                    for at in told
                ],
            ),
            _parts(metrics["parts"]),
            *_steadiness(metrics),
        ],
        learning=report.learned(
            folder,
            "mean of the classes",
            "The weights with the best AP50 of the validation part were kept.",
            metric="ap50",
            higher_is_better=True,
        ),
        examples=[_strips(folder, corpus, found, trained.threshold)],
        meaning=_MEANING,
        limits=_LIMITS,
        serving=report.ways_to_ask(folder, "video.mp4 --annotated copies", "@request.json"),
        presets=configs.PRESETS,
    )  # fmt: skip


def shown(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the metrics without those that the table of single objects shows."""
    rest = {"found_share", "longest_gap", "jitter_in_pixels", "frames_until_found"}

    def without(values: Mapping[str, float]) -> dict[str, float]:
        return {name: value for name, value in values.items() if name not in rest}

    baselines = {name: without(its) for name, its in metrics["baselines"].items()}
    return {**metrics, "test": without(metrics["test"]), "baselines": baselines}


def _parts(parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> report.Table:
    """Tells AP50 by the size of the objects and by the place in the video."""
    columns = list(parts)
    rows = [
        [one["name"], *(comparison.number(each["ap50"]) for each in [one, *others]),
         f"{one['objects']:,}"]
        for one, *others in zip(*parts.values(), strict=True)
    ]  # fmt: skip
    told = "AP50 by the size of an object (the root of its area) and by the place in the video."
    return report.Table(told, ["", *columns, "objects"], rows)


def _steadiness(metrics: Mapping[str, Any]) -> list[report.Block]:
    """Tells how steadily single objects are found, with and without a tracker."""
    named = {comparison.MODEL: metrics["test"], **metrics["baselines"]}
    rows = []
    for name, alone in named.items():
        for told, its in (
            (name, alone),
            (f"{name}, tracked", metrics["tracked"].get(name, {})),
        ):
            if "found_share" in its:
                rows.append([told, *(comparison.number(its[each]) for each in _STEADY)])
    if not rows:
        return []
    told = (
        "Single objects: the share of their frames in which they are found, gaps in 100 frames, "
        "frames of the longest gap and until an object is found, and jitter in pixels; as the "
        "boxes come, and with a tracker."
    )
    return [report.Table(told, ["", *_STEADY.values()], rows)]


def _strips(
    folder: run_folder.RunFolder[configs.Config],
    corpus: data.Corpus,
    found: Sequence[scoring.Found],
    threshold: float,
) -> report.Section:
    """Shows the videos with the lowest AP50 first, and then those with the highest."""
    classes = len(corpus.label_names)
    values = []
    for at, video in enumerate(corpus.test):
        frames = scoring.frames_of([video], [found[at]])
        if any((each.labels >= 0).any() for each in frames):
            values.append((measures.ap50(measures.match(frames, classes)), at))
    values.sort()
    count = folder.config.evaluation.strips
    worst, best = values[: count // 2], values[::-1][: count - count // 2]
    chosen = [*((each, "worst") for each in worst), *((each, "best") for each in best)]
    blocks: list[report.Block] = []
    for number, ((value, at), end) in enumerate(chosen):
        title = f"{corpus.test[at].name}, one of the {end}: AP50 {value:.2f}"
        shown = _drawn(corpus.test[at], found[at], threshold, corpus.label_names)
        alternative = f"{len(shown)} frames with the objects, dashed, and the boxes found from a "
        alternative += f"score of {threshold} on."
        blocks.append(
            plots.save(folder.plots, f"strip_{number}", title, alternative, *pictures.strip(shown))
        )
    return report.Section("Failures first (dashed: what is there)", blocks)


def _drawn(
    video: data.Video, found: scoring.Found, threshold: float, names: Sequence[str]
) -> list[np.ndarray]:
    """Returns frames of a video with what is there and what was found."""
    size = np.array([video.frames.shape[2], video.frames.shape[1]] * 2)
    drawn = []
    for t in pictures.places(len(video.frames)):
        there = video.boxes[t][video.labels[t] != -1] * size
        told = []
        for at in np.flatnonzero(found.scores[t] >= threshold):
            (x, y, right, bottom), kind = found.boxes[t, at] * size, int(found.classes[t, at])
            score = float(found.scores[t, at])
            told.append(predict.Box(t, 0.0, kind, names[kind], score, x, y, right - x, bottom - y))
        drawn.append(pictures.drawn(video.frames[t], told, there, _LETTERS))
    return drawn
