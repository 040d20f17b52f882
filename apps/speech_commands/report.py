"""Writes the words, the clips and the section on streams of the speech commands report.

The text says what was measured, how, and what the model is good for. The clips, to look at and to
listen to, show wrong answers and right ones. A causal model has a section on streams.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.speech_commands import config as configs
from apps.speech_commands import detector, pictures, recordings, scoring, stream_evaluation
from apps.suite.evaluation import classification, plots, report
from apps.suite.report_blocks import class_blocks, matrix_plots
from apps.suite.runs import run_folder
from apps.suite.sounds import sound_files

_SHOWN_SPEAKERS = 10
_FAILURES, _SUCCESSES = 6, 3
_MEANING = {
    "accuracy": "Share of the test clips whose most probable label is the right one.",
    "macro f1": "For each label the harmonic mean of precision (how many of its answers are right) "
    "and recall (how many of its clips are found), then the mean over the labels: a rare label "
    "counts as much as a frequent one.",
    "cross entropy": "Minus the natural logarithm of the probability of the right label, the mean "
    "over the test clips: it also says how honest the probabilities are.",
    "accuracy at … db": "The same clips with noise mixed in, weaker than the word by this level.",
    "streaming accuracy": "The answer at each clip's end in a stream that has been going on, with "
    "pauses and noise; beside it the accuracy on the same stretches of sound as single clips.",
    "miss rate": "Share of the commands that were not detected while they were said or up to "
    f"{stream_evaluation.LATEST_SECONDS:g} s later.",
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
    """Results of `evaluate` apart from its metrics."""

    labels: np.ndarray
    probabilities: np.ndarray
    speakers: Sequence[classification.GroupScore]
    by_noise: Mapping[int, float]
    noise: str  # where it came from
    streams: Streams | None
    parameters: int
    example: str  # input of the command that is offered, of the run's own data


def card(
    folder: run_folder.RunFolder[configs.Config],
    corpus: recordings.Corpus,
    metrics: Mapping[str, Any],
    measured: Measured,
) -> report.Card:
    """Draws the plots, and returns the model card."""
    config, names = folder.config, corpus.label_names
    facts = {"parameters": f"{measured.parameters:,}"}
    if measured.streams is not None:
        counts = measured.streams.counts
        facts["false accepts an hour"] = f"{counts.false_accepts_per_hour:.1f}"
        facts["commands missed"] = f"{100 * counts.miss_rate:.1f} %"
    answers = "clips and streams of sound" if config.streams else "clips"
    words = stream_evaluation.spoken_words(names)
    return report.Card(
        title="Speech commands",
        summary=f"Tells {len(words)} spoken words apart in {answers}. It learned from "
        f"{corpus.name}.",
        facts=facts,
        data={"Licence": corpus.licence, "Source": corpus.source, "Labels": ", ".join(names)},
        results=[
            *_clips(folder, names, metrics, measured),
            *stream_results(folder, names, measured.streams),
        ],
        learning=report.learned(
            folder,
            "nats a clip",
            "The training loss is measured on altered clips, with dropout and smoothed labels, "
            "while the weights change; the validation loss on the unaltered clips, with the "
            "weights that a stop at this step would keep.",
        ),
        examples=_examples(folder, corpus, measured),
        meaning=_MEANING,
        limits=_LIMITS,
        serving=_serving(folder, measured.example),
        presets=configs.PRESETS,
    )


def _clips(
    folder: run_folder.RunFolder[configs.Config],
    names: Sequence[str],
    metrics: Mapping[str, Any],
    measured: Measured,
) -> list[report.Block]:
    labels, probabilities = measured.labels, measured.probabilities
    accuracy = metrics["test"]["accuracy"]
    low, high = classification.interval(accuracy, len(labels))
    by_noise = {"clean": accuracy}
    by_noise |= {f"{decibels} dB": share for decibels, share in measured.by_noise.items()}
    blocks: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, "accuracy"),
        report.Paragraph(
            f"{len(labels):,} test clips were answered once. The 95 % confidence interval of their "
            f"accuracy goes from {100 * low:.1f} % to {100 * high:.1f} %, if each clip tells "
            "something of its own; with few voices it is wider."
        ),
        matrix_plots.confusion(
            folder.plots,
            classification.confusion(labels, probabilities),
            names,
            unit="test clips",
            right="said",
        ),
        pictures.noise(folder.plots, {"this model": by_noise}),
        report.Paragraph(f"The noise: {measured.noise}."),
    ]
    if measured.speakers:
        blocks.append(class_blocks.by_group(measured.speakers, "clips", "speaker", _SHOWN_SPEAKERS))
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
            failures(measured.labels, measured.probabilities, names, _FAILURES),
        ),
        (
            "What went right: the surest answers",
            "right",
            successes(measured.labels, measured.probabilities, names, _SUCCESSES),
        ),
    ):
        blocks = example_blocks(found, corpus.test, config, folder.plots, name)
        nothing = report.Paragraph("There is none.")
        sections.append(report.Section(title, blocks or [nothing]))
    if measured.streams is not None:
        sections.append(stream_example(folder, names, measured.streams))
    return sections


def _serving(folder: run_folder.RunFolder[configs.Config], example: str) -> list[report.Block]:
    return report.ways_to_ask(
        folder,
        shlex.quote(example),
        "@-",
        lead="At the command line, with a file, a folder or a microphone's raw samples:",
        made_by=report.wav_request("clip.wav"),
    )


class Example(NamedTuple):
    """A test clip and its answer."""

    recording: int  # index in the part
    said: str
    answered: str
    probability: float  # of the answer
    probability_of_the_said: float


def failures(
    labels: np.ndarray, probabilities: np.ndarray, label_names: Sequence[str], count: int
) -> list[Example]:
    """Returns the surest wrong answers, at most two of a kind."""
    return _surest(labels, probabilities, label_names, count, right=False, most_alike=2)


def successes(
    labels: np.ndarray, probabilities: np.ndarray, label_names: Sequence[str], count: int
) -> list[Example]:
    """Returns the surest right answers, one of each label."""
    return _surest(labels, probabilities, label_names, count, right=True, most_alike=1)


def example_blocks(
    examples: Sequence[Example],
    part: recordings.Part,
    config: configs.Config,
    plots_folder: Path,
    name: str,
) -> list[report.Block]:
    """Builds a spectrogram and a player for each; the plots are called `<name>_1` and so on."""
    shown: list[report.Block] = []
    for number, example in enumerate(examples, 1):
        recording = part.recordings[example.recording]
        waveform = part.waveform(example.recording)
        sure = f"{100 * example.probability:.0f} %"
        title = f"“{example.said}”, {sure} sure"
        if example.said != example.answered:
            title = f"“{example.said}”, taken for “{example.answered}”, {sure} sure"
        caption = recording.name
        if recording.speaker:
            caption += f", spoken by {recording.speaker}"
        if example.said != example.answered:
            caption += f"; “{example.said}” had {100 * example.probability_of_the_said:.1f} %"
        shown += [
            pictures.spectrogram(plots_folder, f"{name}_{number}", title, waveform, config),
            report.Audio(caption, sound_files.wav_bytes(waveform, config.audio.sample_rate_hz)),
        ]
    return shown


def _surest(
    labels: np.ndarray,
    probabilities: np.ndarray,
    label_names: Sequence[str],
    count: int,
    right: bool,
    most_alike: int,
) -> list[Example]:
    answers = probabilities.argmax(axis=1)
    found: list[Example] = []
    for index in class_blocks.surest(labels, probabilities)[right]:
        said, answered = label_names[labels[index]], label_names[answers[index]]
        alike = [each for each in found if (each.said, each.answered) == (said, answered)]
        if len(alike) < most_alike:
            of_said = float(probabilities[index, labels[index]])
            best = float(probabilities[index].max())
            found.append(Example(index, said, answered, best, of_said))
        if len(found) == count:
            break
    return found


class Streams(NamedTuple):
    """Results on the streams of the test clips."""

    heard: scoring.Heard
    curve: Sequence[stream_evaluation.Counts]
    counts: stream_evaluation.Counts  # at the thresholds below
    thresholds: Mapping[str, float]
    timing: Mapping[str, float]


def stream_results(
    folder: run_folder.RunFolder[configs.Config], names: Sequence[str], streams: Streams | None
) -> list[report.Block]:
    """Builds the part of the report's results about streams."""
    if streams is None:
        return [
            report.Paragraph(
                "This model needs a clip from its beginning to its end before it answers: it was "
                "not judged on streams."
            )
        ]
    counts, heard = streams.counts, streams.heard
    others = [name for name in names if name in stream_evaluation.OTHER_LABELS]
    no_words = ", ".join(["pauses", *(f"clips of {name}" for name in others)])
    columns = zip(counts.said, counts.hits, counts.wrong, counts.false, strict=True)
    rows = [
        [word, f"{streams.thresholds[word]:.2f}", f"{said}", f"{said - hits}", f"{wrong}", f"{n}"]
        for word, (said, hits, wrong, n) in zip(
            stream_evaluation.spoken_words(names), columns, strict=True
        )
    ]
    return [
        report.Paragraph(
            f"As a stream: the test clips in a random order, with pauses and low noise, "
            f"{counts.seconds / 3600:.2f} hours of sound, of which "
            f"{counts.no_command_seconds / 3600:.2f} hours hold no command ({no_words}). The "
            "thresholds were chosen on streams of the validation clips, where at most "
            f"{folder.config.detection.false_accepts_per_hour:g} false accepts an hour were "
            f"allowed; here they give {counts.false_accepts_per_hour:.1f}, and "
            f"{100 * counts.miss_rate:.1f} % of the commands are missed. At each clip's end the "
            f"stream's answer is right in {100 * heard.accuracy:.1f} % of the clips; the same "
            f"stretches of sound as clips of their own are right in "
            f"{100 * heard.clip_accuracy:.1f} %."
        ),
        pictures.trade_off(folder.plots, streams.curve, counts),
        report.Table(
            "Commands in the streams of the test clips. A word is wrongly detected while another "
            "one is said, and falsely while none is.",
            ["word", "threshold", "said", "missed", "wrongly", "falsely"],
            rows,
        ),
    ]


def stream_example(
    folder: run_folder.RunFolder[configs.Config], names: Sequence[str], streams: Streams
) -> report.Section:
    """Builds the report's section with the beginning of the first stream, as plot and sound."""
    first, rate = streams.heard.streams[0], folder.config.audio.sample_rate_hz
    finder = detector.Detector(names, streams.thresholds, **streams.timing)
    hits, _ = finder.detect(first.posteriors, finder.initial_state())
    seconds = len(streams.heard.beginning) / rate
    plot = pictures.stream(
        folder.plots, first, hits, names, finder.first_seconds, finder.frame_seconds, seconds
    )
    wav = sound_files.wav_bytes(streams.heard.beginning, rate)
    caption = f"The first {seconds:.0f} seconds of the streams of the test clips"
    return report.Section("A stream", [plot, report.Audio(caption, wav)])
