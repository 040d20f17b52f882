"""Clips to look at and to listen to: what went wrong, and what went right."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from apps import report
from apps.speech_commands import config as configs
from apps.speech_commands import pictures, recordings


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
    """The surest wrong answers, at most two of a kind."""
    return _surest(labels, probabilities, label_names, count, right=False, most_alike=2)


def successes(
    labels: np.ndarray, probabilities: np.ndarray, label_names: Sequence[str], count: int
) -> list[Example]:
    """The surest right answers, one of each label."""
    return _surest(labels, probabilities, label_names, count, right=True, most_alike=1)


def blocks(
    examples: Sequence[Example],
    part: recordings.Part,
    config: configs.Config,
    plots_folder: Path,
    name: str,
) -> list[report.Block]:
    """A spectrogram and a player for each; the plots are called `<name>_1` and so on."""
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
            report.Audio(caption, wav(waveform, config.audio.sample_rate_hz)),
        ]
    return shown


def wav(waveform: np.ndarray, sample_rate_hz: int) -> bytes:
    """A WAV file of 16 bits; what is beyond -1 to 1 is clipped."""
    content = io.BytesIO()
    # libsndfile would scale by 32767, other than all that reads it.
    whole = np.clip(np.round(waveform * 32768.0), -32768, 32767).astype(np.int16)
    soundfile.write(content, whole, sample_rate_hz, subtype="PCM_16", format="WAV")
    return content.getvalue()


def _surest(
    labels: np.ndarray,
    probabilities: np.ndarray,
    label_names: Sequence[str],
    count: int,
    right: bool,
    most_alike: int,
) -> list[Example]:
    answers = probabilities.argmax(axis=1)
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    found: list[Example] = []
    for index in order[(answers == labels)[order] == right]:
        said, answered = label_names[labels[index]], label_names[answers[index]]
        alike = [each for each in found if (each.said, each.answered) == (said, answered)]
        if len(alike) < most_alike:
            of_said = float(probabilities[index, labels[index]])
            best = float(probabilities[index].max())
            found.append(Example(int(index), said, answered, best, of_said))
        if len(found) == count:
            break
    return found
