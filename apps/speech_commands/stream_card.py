"""The part of speech commands' report that is about streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from apps import report, run_folder
from apps.speech_commands import config as configs
from apps.speech_commands import (
    continuous_audio,
    detection_measures,
    detector,
    pictures,
    sound_examples,
    stream_scores,
)


class Streams(NamedTuple):
    """What was heard in the streams of the test clips."""

    heard: stream_scores.Heard
    curve: Sequence[detection_measures.Counts]
    counts: detection_measures.Counts  # at the thresholds below
    thresholds: Mapping[str, float]
    timing: Mapping[str, float]


def results(
    folder: run_folder.RunFolder[configs.Config], names: Sequence[str], streams: Streams | None
) -> list[report.Block]:
    """What stands in the report's results."""
    if streams is None:
        return [
            report.Paragraph(
                "This model needs a clip from its beginning to its end before it answers: it was "
                "not judged on streams."
            )
        ]
    counts, heard = streams.counts, streams.heard
    others = [name for name in names if name in continuous_audio.OTHER_LABELS]
    no_words = ", ".join(["pauses", *(f"clips of {name}" for name in others)])
    columns = zip(counts.said, counts.hits, counts.wrong, counts.false, strict=True)
    rows = [
        [word, f"{streams.thresholds[word]:.2f}", f"{said}", f"{said - hits}", f"{wrong}", f"{n}"]
        for word, (said, hits, wrong, n) in zip(continuous_audio.words(names), columns, strict=True)
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


def example(
    folder: run_folder.RunFolder[configs.Config], names: Sequence[str], streams: Streams
) -> report.Section:
    """The beginning of the first stream, to look at and to listen to."""
    first, rate = streams.heard.streams[0], folder.config.audio.sample_rate_hz
    finder = detector.Detector(names, streams.thresholds, **streams.timing)
    hits, _ = finder.detect(first.posteriors, finder.initial_state())
    seconds = len(streams.heard.beginning) / rate
    plot = pictures.stream(
        folder.plots, first, hits, names, finder.first_seconds, finder.frame_seconds, seconds
    )
    wav = sound_examples.wav(streams.heard.beginning, rate)
    caption = f"The first {seconds:.0f} seconds of the streams of the test clips"
    return report.Section("A stream", [plot, report.Audio(caption, wav)])
