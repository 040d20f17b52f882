"""The words of speech commands' report: what was measured, how, and what it is good for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps import plots, report, run_folder
from apps.speech_commands import config as configs
from apps.speech_commands import (
    continuous_audio,
    detection_measures,
    measures,
    pictures,
    recordings,
    sound_examples,
    stream_card,
)

_SHOWN_SPEAKERS = 10
_FAILURES, _SUCCESSES = 6, 3

_MEANING = {
    "accuracy": "Share of the test clips whose most probable label is the right one.",
    "macro f1": "For each label the harmonic mean of precision (how many of its answers are right) "
    "and recall (how many of its clips are found), then the mean over the labels: a rare label "
    "counts as much as a frequent one.",
    "cross entropy": "Minus the natural logarithm of the probability of the right label, the mean "
    "over the test clips: it also says how honest the probabilities are.",
    "accuracy at … db": "The same clips with noise mixed in, so much weaker than the word.",
    "streaming accuracy": "The answer at each clip's end in a stream that has been going on, with "
    "pauses and noise; beside it the accuracy on the same stretches of sound as single clips.",
    "miss rate": "Share of the commands that were not detected while they were said or up to "
    f"{detection_measures.LATEST_SECONDS:g} s later.",
    "wrong detections per command": "Detections of another word while a command was said, or of "
    "the same word once more.",
    "false accepts per hour": "Detections while no command was said (pauses, noise, other words), "
    "in an hour of that.",
    "nearest class mean": "The label whose mean of the training clips is nearest, in the means and "
    "deviations over time of 20 cepstral coefficients.",
    "logistic regression": "On the same numbers, regularised as the validation part likes it best.",
    "small convolution": "A small convolutional network on the log-mel spectrogram.",
}
_LIMITS = (
    "The numbers hold for clips like the ones that were learned: these words, this way of "
    "recording, voices of this kind. Distance, other rooms and other noise change them.",
    "A stream is made of the test clips, with pauses and low noise between them. It is denser with "
    "words than a room is; false accepts an hour of your own sound have to be measured there.",
    "Whoever speaks is not recognised, and nothing is understood beyond the label.",
    "One run with one seed: a difference within the interval above may be chance.",
)


class Measured(NamedTuple):
    """What `evaluate` found out, beside its metrics."""

    labels: np.ndarray
    probabilities: np.ndarray
    speakers: Sequence[measures.SpeakerScore]
    by_noise: Mapping[int, float]
    noise: str  # where it came from
    streams: stream_card.Streams | None
    parameters: int


def write(
    folder: run_folder.RunFolder[configs.Config],
    corpus: recordings.Corpus,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> None:
    """Draws the plots, and writes report.html."""
    config, names = folder.config, corpus.label_names
    facts = {"parameters": f"{measured.parameters:,}"}
    if measured.streams is not None:
        counts = measured.streams.counts
        facts["false accepts an hour"] = f"{counts.false_accepts_per_hour:.1f}"
        facts["commands missed"] = f"{100 * counts.miss_rate:.1f} %"
    answers = "clips and streams of sound" if config.streams else "clips"
    words = continuous_audio.words(names)
    card = report.Card(
        title="Speech commands",
        summary=f"Tells {len(words)} spoken words apart in {answers}. It learned from "
        f"{corpus.name}.",
        facts=facts,
        data={"Licence": corpus.licence, "Source": corpus.source, "Labels": ", ".join(names)},
        results=[
            *_clips(folder, names, metrics, measured),
            *stream_card.results(folder, names, measured.streams),
        ],
        learning=[
            plots.learning_curve(folder.plots, folder.history_file, "nats a clip"),
            report.Paragraph(
                "The training loss is measured on altered clips, with dropout and smoothed labels, "
                "while the weights change; the validation loss on the clips as they are, with the "
                "weights that a stop at this step would keep."
            ),
        ],
        examples=_examples(folder, corpus, measured),
        meaning=_MEANING,
        limits=_LIMITS,
        serving=_serving(folder),
        presets=configs.PRESETS,
    )
    report.render(folder, card, metrics)


def _clips(
    folder: run_folder.RunFolder[configs.Config],
    names: Sequence[str],
    metrics: Mapping[str, Any],
    measured: Measured,
) -> list[report.Block]:
    labels, probabilities = measured.labels, measured.probabilities
    accuracy = metrics["test"]["accuracy"]
    low, high = measures.interval(accuracy, len(labels))
    by_noise = {"clean": accuracy}
    by_noise |= {f"{decibels} dB": share for decibels, share in measured.by_noise.items()}
    blocks: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, "accuracy"),
        report.Paragraph(
            f"{len(labels):,} test clips were answered once. The 95 % confidence interval of their "
            f"accuracy goes from {100 * low:.1f} % to {100 * high:.1f} %, if each clip tells "
            "something of its own; with few voices it is wider."
        ),
        pictures.confusion(folder.plots, measures.confusion(labels, probabilities), names),
        pictures.noise(folder.plots, {"this model": by_noise}),
        report.Paragraph(f"The noise: {measured.noise}."),
    ]
    if measured.speakers:
        shown = measured.speakers[:_SHOWN_SPEAKERS]
        caption = "Test clips by speaker, the worst understood first"
        if len(measured.speakers) > len(shown):
            caption += f": {len(shown)} of {len(measured.speakers)}"
        rows = [[s.speaker, f"{s.clips:,}", f"{100 * s.accuracy:.1f} %"] for s in shown]
        blocks.append(report.Table(f"{caption}.", ["speaker", "clips", "accuracy"], rows))
    return blocks


def _examples(
    folder: run_folder.RunFolder[configs.Config], corpus: recordings.Corpus, measured: Measured
) -> list[report.Section]:
    config, names = folder.config, corpus.label_names
    sections = []
    for title, name, found in (
        (
            "What went wrong: the surest of the wrong answers",
            "wrong",
            sound_examples.failures(measured.labels, measured.probabilities, names, _FAILURES),
        ),
        (
            "What went right: the surest answers",
            "right",
            sound_examples.successes(measured.labels, measured.probabilities, names, _SUCCESSES),
        ),
    ):
        blocks = sound_examples.blocks(found, corpus.test, config, folder.plots, name)
        nothing = report.Paragraph("There is none.")
        sections.append(report.Section(title, blocks or [nothing]))
    if measured.streams is not None:
        sections.append(stream_card.example(folder, names, measured.streams))
    return sections


def _serving(folder: run_folder.RunFolder[configs.Config]) -> list[report.Block]:
    run, task = shlex.quote(str(folder.path)), folder.task
    example = "datasets/spoken_commands/dummy_data/yes_stop.wav"
    return [
        report.Commands(
            "At the command line, with a file, a folder or a microphone's raw samples:",
            f"python -m apps.{task}.predict --run {run} {example}",
        ),
        report.Commands(
            "As a service, with stock TensorFlow Serving:",
            f"python -m apps.{task}.export --run {run} --to exports\n"
            f"docker run --rm -p 8501:8501 -e MODEL_NAME={task} \\\n"
            f'    -v "$PWD/exports/{task}:/models/{task}" tensorflow/serving\n'
            """echo '{"signature_name": "wav", "inputs": {"wav": [{"b64": "'"""
            """$(base64 -w 0 clip.wav)'"}]}}' |\n"""
            f"    curl -X POST localhost:8501/v1/models/{task}:predict -d @-",
        ),
        report.Paragraph(f"All inputs and signatures are described in apps/{task}/README.md."),
    ]
