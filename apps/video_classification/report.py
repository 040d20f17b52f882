"""Writes the words of the video classification report: measures, methods, uses and limits."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.suite.evaluation import classification, plots, report
from apps.suite.report_blocks import class_blocks, class_plots, matrix_plots
from apps.suite.runs import run_folder
from apps.suite.videos import applications
from apps.video_classification import config as configs
from apps.video_classification import pictures
from apps.video_classification.clips import Corpus

_SHOWN_GROUPS = 12
_SHOWN_SKIPPED = 20

_MEANING = {
    "accuracy": "Share of the test videos whose most probable label is the right one; a video's "
    "probabilities are the mean of those of its clips.",
    "accuracy at least, at most": "The 95 % confidence interval of that share, if each video tells "
    "something of its own. Videos of one scene are alike, so with few groups it is wider.",
    "macro f1": "For each label the harmonic mean of precision (how many of its answers are right) "
    "and recall (how many of its videos are found), then the mean over the labels: a rare label "
    "counts as much as a frequent one.",
    "top 5 accuracy": "Share of the videos whose right label is among the five most probable ones.",
    "cross entropy": "Minus the natural logarithm of the probability of the right label, the mean "
    "over the test videos: it also says how honest the probabilities are.",
    "clip accuracy": "The same for each clip by itself.",
    "accuracy after … frames": "The same when only this number of frames of each clip was seen.",
    "mean accuracy of the groups": "The mean over groups (scenes, people), however many videos "
    "each has.",
    "single frame": "A small convolutional network that sees one frame of a clip: what a picture "
    "tells without motion.",
    "mean of frames": "Logistic regression on gradients and grey levels, the mean over a clip's "
    "frames: the contents of the pictures, in any order.",
    "frame differences": "Logistic regression on how much changes from frame to frame, where and "
    "when.",
}
_LIMITS = (
    "The numbers hold for videos like the ones that were learned: these actions, this kind of "
    "camera, clips of about this length. Another scene, a camera that moves or a cut within a clip "
    "change them.",
    "An action outside the labels is given one of them all the same; a low probability is "
    "the only hint.",
    "A clip is seen as a few frames, spread over it: anything that happens between two of them is "
    "missed.",
    "What the labels' videos have in common beside the action (place, light, camera) is learned "
    "with it. The single-frame baseline says how much of that there is.",
    "One run with one seed: a difference within the interval above may be chance. A decision about "
    "people needs a person who looks.",
)


class Measured(NamedTuple):
    """Results of `evaluate` apart from its metrics."""

    probabilities: np.ndarray  # float [videos, labels]
    groups: Sequence[classification.GroupScore]
    frames_seen: Sequence[float]
    parameters: int
    example: str  # input of the command that is offered, of the run's own data


_LEARNING = (
    "The training loss is measured on altered clips, with dropout and smoothed labels, while the "
    "weights change"
)
_HELD = (
    "; the validation loss on whole, unaltered videos, with the weights that a stop at this step "
    "would keep."
)
_ALL = (
    ". The validation part was learned as well, by settings that were chosen before, and the "
    "weights of the last step were kept."
)


def card(
    folder: run_folder.RunFolder[configs.Config],
    corpus: Corpus,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> report.Card:
    """Draws the plots, and returns the model card."""
    names, config = corpus.label_names, folder.config
    facts = {
        "parameters": f"{measured.parameters:,}",
        "single clips": f"{100 * metrics['test']['clip_accuracy']:.1f} %",
    }
    described = {"Licence": corpus.licence, "Source": corpus.source, "Labels": ", ".join(names)}
    if config.model.backbone == "keras_applications":
        weights = applications.describe(config.model.application_weights, config.model.fine_tune)
        described["Network for frames"] = f"{config.model.application}, {weights}"
    if corpus.skipped:
        described["Left out"] = f"{len(corpus.skipped)} that could not be decoded"
    return report.Card(
        title="Video classification",
        summary=f"Tells {len(names)} actions apart in clips of video. It learned from "
        f"{corpus.name}.",
        facts=facts,
        data=described,
        results=_results(folder, corpus, metrics, measured),
        learning=[
            plots.learning_curve(folder.plots, folder.history_file, "nats a video"),
            report.Paragraph(
                _LEARNING + (_ALL if config.training.learn_from_validation else _HELD)
            ),
        ],
        examples=_examples(folder, corpus, measured.probabilities),
        meaning=_MEANING,
        limits=_LIMITS,
        serving=_serving(folder, measured.example),
        presets=configs.PRESETS,
    )


def _results(
    folder: run_folder.RunFolder[configs.Config],
    corpus: Corpus,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> list[report.Block]:
    labels, test = corpus.test.video_labels, metrics["test"]
    references = {name: each["accuracy"] for name, each in metrics["baselines"].items()}
    counts = classification.confusion(labels, measured.probabilities)
    blocks: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, "accuracy"),
        report.Paragraph(
            f"{len(labels):,} test videos were answered once, each by the mean of its clips "
            f"({len(corpus.test):,} in all). The 95 % confidence interval of their accuracy goes "
            f"from {100 * test['accuracy_at_least']:.1f} % to "
            f"{100 * test['accuracy_at_most']:.1f} %."
        ),
        matrix_plots.confusion(
            folder.plots, counts, corpus.label_names, unit="test videos", right="shown"
        ),
        class_plots.by_beginning(
            folder.plots,
            "frames_seen",
            "How early it knows",
            dict(enumerate(measured.frames_seen, 1)),
            "frames of a clip",
            references,
        ),
    ]
    if 1 < len(measured.groups) < len(labels):
        blocks.append(class_blocks.by_group(measured.groups, "videos", most=_SHOWN_GROUPS))
    if corpus.skipped:
        listed = "\n".join(corpus.skipped[:_SHOWN_SKIPPED])
        blocks.append(report.Passage("Left out, since it could not be decoded:", listed))
    return blocks


def _examples(
    folder: run_folder.RunFolder[configs.Config], corpus: Corpus, probabilities: np.ndarray
) -> list[report.Section]:
    labels, most = corpus.test.video_labels, folder.config.evaluation.strips
    wrong, right = class_blocks.surest(labels, probabilities)
    # Of each label one before a second of any, and the surest first among those of a turn
    turns = {
        video: int((labels[right[:at]] == labels[video]).sum()) for at, video in enumerate(right)
    }
    right.sort(key=turns.__getitem__)
    return class_blocks.sections(
        wrong[:most],
        right[:most],
        lambda name, video: [_strip(folder, corpus, name, video, probabilities[video])],
    )


def _strip(
    folder: run_folder.RunFolder[configs.Config],
    corpus: Corpus,
    name: str,
    video: int,
    probabilities: np.ndarray,
) -> plots.Plot:
    test, labels = corpus.test, corpus.label_names
    first = test.first_clips
    clip = (first[video] + [*first, len(test)][video + 1] - 1) // 2  # the middle one
    answer = int(probabilities.argmax())
    shown = labels[test.video_labels[video]]
    told = f"{labels[answer]} {100 * probabilities[answer]:.0f} %"
    title = f"{test.names[video]}: {shown}, answered {told}"
    frames, length = test.read(slice(clip, clip + 1))[0], int(test.lengths[clip])
    return pictures.strip(folder.plots, name, title, frames, length, f"{shown}, answered {told}")


def _serving(folder: run_folder.RunFolder[configs.Config], example: str) -> list[report.Block]:
    frame = """echo '{"signature_name": "encoded", "inputs": {"encoded": [[{"b64": "'"""
    return report.ways_to_ask(
        folder,
        shlex.quote(example),
        "@-",
        lead="At the command line, with a video file or a folder of them:",
        made_by=f"""{frame}$(base64 -w 0 frame.jpg)'"}}]]}}}}'""",
    )
