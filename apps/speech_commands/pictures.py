"""Draws the plots of speech commands: noise, the trade-off, spectrograms, a stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import librosa
import matplotlib.axes
import numpy as np

from apps.speech_commands import config as configs
from apps.speech_commands import detector, stream_evaluation
from apps.suite.evaluation import plot_style, plots
from apps.suite.report_blocks import matrix_plots
from apps.suite.sounds import features


def noise(folder: Path, series: Mapping[str, Mapping[str, float]]) -> plots.Plot:
    """Plots accuracy by level of noise ("clean", "20 dB", …), of the model first."""

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        for at, (name, values) in enumerate(series.items()):
            colour = theme.model if at == 0 else theme.other
            shares = [100 * share for share in values.values()]
            axes.plot(list(values), shares, color=colour, marker="o", label=name, linewidth=2)
        axes.set_xlabel("signal-to-noise ratio of the noise that was mixed into the test clips")
        axes.set_ylabel("accuracy (%)")
        if len(series) > 1:
            plot_style.legend(axes, theme)

    said = (
        f"{name}: " + ", ".join(f"{level} {100 * share:.1f} %" for level, share in values.items())
        for name, values in series.items()
    )
    return plots.save(folder, "noise", "Accuracy in noise", "; ".join(said) + ".", draw)


def trade_off(
    folder: Path,
    curve: Sequence[stream_evaluation.Counts],
    chosen: stream_evaluation.Counts,
) -> plots.Plot:
    """Misses over false accepts as one threshold for all words rises, and where the run stands."""

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        axes.plot(
            [each.false_accepts_per_hour for each in curve],
            [100 * each.miss_rate for each in curve],
            color=theme.other,
            marker=".",
            label="one threshold for all words",
        )
        axes.plot(
            chosen.false_accepts_per_hour,
            100 * chosen.miss_rate,
            color=theme.model,
            marker="o",
            markersize=9,
            linestyle="none",
            clip_on=False,
            label="the chosen thresholds",
        )
        axes.set_xscale("symlog", linthresh=3)
        axes.set_xlim(left=-0.15)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_ylim(bottom=-2)
        axes.set_xlabel("false accepts in an hour without commands")
        axes.set_ylabel("commands missed (%)")
        plot_style.legend(axes, theme)

    first, last = curve[0], curve[-1]
    alternative = (
        f"From {first.false_accepts_per_hour:.0f} false accepts an hour and "
        f"{100 * first.miss_rate:.1f} % missed at the lowest threshold to "
        f"{last.false_accepts_per_hour:.1f} and {100 * last.miss_rate:.1f} % at the highest; the "
        f"chosen thresholds give {chosen.false_accepts_per_hour:.1f} and "
        f"{100 * chosen.miss_rate:.1f} %."
    )
    return plots.save(folder, "trade_off", "False accepts and misses", alternative, draw)


def spectrogram(
    folder: Path, name: str, title: str, waveform: np.ndarray, config: configs.Config
) -> plots.Plot:
    """Plots a sound's log-mel spectrogram, whatever features the run takes."""
    shown = dataclasses.replace(config.features, kind="log_mel", deltas=False, centre=False)
    bands = features.extract(waveform, config.audio, shown).T
    seconds = len(waveform) / config.audio.sample_rate_hz
    highest = min(shown.highest_hz, config.audio.sample_rate_hz / 2)
    centres = librosa.mel_frequencies(
        shown.mel_bands + 2, fmin=shown.lowest_hz, fmax=highest, htk=shown.mel_scale == "htk"
    )[1:-1]
    ticks = [hertz for hertz in (250, 500, 1000, 2000, 4000, 8000) if centres[0] < hertz < highest]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        low = max(float(bands.max()) - 70, float(bands.min()))
        extent = (0.0, seconds, -0.5, len(bands) - 0.5)
        axes.imshow(
            bands,
            cmap=matrix_plots.shades(theme),
            vmin=low,
            aspect="auto",
            origin="lower",
            extent=extent,
        )
        axes.grid(visible=False)
        places = np.interp(ticks, centres, np.arange(len(centres)))
        axes.set_yticks(places, [f"{hertz / 1000:g}" for hertz in ticks])
        axes.set_xlabel("seconds")
        axes.set_ylabel("kHz")

    alternative = f"mel spectrogram of {seconds:.2f} seconds of sound."
    return plots.save(folder, name, title, alternative, draw, height_inches=2.2)


def stream(
    folder: Path,
    heard: stream_evaluation.Heard,
    detections: Sequence[detector.Detection],
    label_names: Sequence[str],
    first_seconds: float,
    frame_seconds: float,
    end_seconds: float,
) -> plots.Plot:
    """Plots the words' probabilities at the beginning of a stream, with commands and detections."""
    words = stream_evaluation.spoken_words(label_names)
    columns = [label_names.index(word) for word in words]
    times = first_seconds + frame_seconds * np.arange(len(heard.posteriors))
    shown = times <= end_seconds
    said = [event for event in heard.events if event.end_seconds <= end_seconds]
    hits = [hit for hit in detections if hit.seconds < end_seconds]

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        lines = axes.plot(times[shown], heard.posteriors[shown][:, columns], color=theme.model,
                          linewidth=1)  # fmt: skip
        lines[0].set_label("a word's probability")
        for number, event in enumerate(said):
            axes.axvspan(event.start_seconds, event.end_seconds, color=theme.faint, alpha=0.5,
                         label="" if number else "said")  # fmt: skip
            middle = (event.start_seconds + event.end_seconds) / 2
            height = 1.17 if number % 2 else 1.06  # neighbours would touch
            axes.text(middle, height, event.label, ha="center", fontsize=8)
        for number, hit in enumerate(hits):
            axes.plot(hit.seconds, hit.confidence, "o", color=theme.ink, markersize=5,
                      label="" if number else "detected")  # fmt: skip
            axes.annotate(hit.word, (hit.seconds, hit.confidence), (4, 4), fontsize=8,
                          textcoords="offset points")  # fmt: skip
        axes.set_xlim(0, end_seconds)
        axes.set_ylim(0, 1.25)
        axes.set_yticks([0, 0.5, 1])
        axes.set_xlabel("seconds")
        axes.set_ylabel("probability of each word")
        plot_style.legend(axes, theme)

    alternative = (
        f"said: {', '.join(event.label for event in said)}; "
        f"detected: {', '.join(f'{hit.word} at {hit.seconds:.1f} s' for hit in hits) or 'nothing'}."
    )
    return plots.save(folder, "stream", "The model's answers along a stream", alternative, draw)
