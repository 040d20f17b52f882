"""Builds the tab of the demo page that recognises words, spoken by people or the computer."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple

import gradio
import matplotlib.axes
import numpy as np

from apps.suite import errors
from apps.suite.data import named_sets
from apps.suite.demo import asked_file, elements
from apps.suite.evaluation import plot_style
from apps.suite.export import asking

VOICES = {"a woman, American": ("en-us", "f3"), "a man, British": ("en-gb-x-rp", "m3")}
_WORDS_A_MINUTE, _PITCH, _PITCH_RANGE = 150, 50, 50  # of espeak-ng: as it usually speaks
_speaking = threading.Lock()  # espeak-ng has one state for the whole process
_voice: Any = None


def say(words: str, voice: str) -> tuple[np.ndarray, int]:
    """Speaks English words with espeak-ng: float32 [samples] in -1..1, and their rate in hertz.

    Raises:
        UserError: the library does not start, or cannot say this.
    """
    global _voice
    accent, variant = VOICES[voice]
    with _speaking:
        try:
            if _voice is None:
                _voice = _module().EspeakVoice()
            samples = _voice.say(words, accent, variant, _WORDS_A_MINUTE, _PITCH, _PITCH_RANGE)
        except (ImportError, OSError, ValueError) as error:
            raise errors.UserError(f"The computer's voice cannot say {words!r}: {error}") from error
        return samples, _voice.sample_rate_hz


def _module() -> Any:
    """Loads the voice of the spoken data set, whose folder is not a package."""
    file = named_sets.FOLDER / "spoken_commands" / "espeak_voice.py"
    spec = importlib.util.spec_from_file_location("espeak_voice_of_the_page", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TITLE = "Speech"
EXPLAINED = "Say one of the model's words, and see which one it hears."
_SPAN_DECIBELS = 70.0  # of a spectrogram's colours, down from the loudest
_LEAST_WINDOW_SAMPLES = 64


class Heard(NamedTuple):
    """An answer, and the sound that it is about."""

    label: str
    label_names: list[str]
    probabilities: np.ndarray  # float32 [labels]
    samples: np.ndarray  # float32 [samples], as the model got them


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""

    def spoken() -> list[asked_file.Example]:
        with gradio.Accordion("No microphone? Let the computer say it", open=True):
            words = gradio.Dropdown(
                words_of(model), label="Word (or write another one)", allow_custom_value=True
            )
            voice = gradio.Dropdown(list(VOICES), label="Voice", filterable=False)
            say = gradio.Button("Say it", size="md")
        inputs = [words, voice]
        return [asked_file.Example(say, lambda *given: str(write_spoken(*given)), inputs)]

    def show(file: str | None) -> str:
        heard = recognise(model, file)
        return (
            elements.heading(heard.label, "is what the model hears")
            + elements.bars(heard.label_names, heard.probabilities.tolist(), "Probability of each")
            + spectrogram(heard.samples, sample_rate_hz(model))
        )

    asked_file.tab(
        asked_file.sound("Your word"),
        show,
        button="Recognise",
        hint=f"The model knows: {', '.join(names_of(model))}.",
        examples=spoken,
    )


def sample_rate_hz(model: asking.ExportedModel) -> int:
    """Returns the sample rate that the model takes."""
    return int(model.settings.get("sample_rate_hz", 16_000))


def names_of(model: asking.ExportedModel) -> list[str]:
    """Returns the names of the model's labels."""
    return list(model.settings.get("label_names", []))


def words_of(model: asking.ExportedModel) -> list[str]:
    """Returns the labels that can be spoken."""
    names = names_of(model)
    return [name for name in names if name.strip("_") not in ("silence", "unknown", "background")]


def recognise(model: asking.ExportedModel, file: str | None) -> Heard:
    """Returns the model's answer to a recording.

    Raises:
        UserError: no file, a file that cannot be read, is empty or too long, or a sound that the
            model refuses.
    """
    if not file:
        raise errors.UserError(
            "There is no sound yet: record one, drop a file, or let the computer say a word."
        )
    samples = asked_file.samples(file, sample_rate_hz(model))
    answer = model.ask(waveform=samples[None])
    names = [name.decode() for name in answer["label_names"].ravel()]
    return Heard(answer["label"][0].decode(), names, answer["probabilities"][0], samples)


def write_spoken(words: str | None, voice: str) -> Path:
    """Writes a wav file of words that the computer says."""
    import soundfile

    if not (words or "").strip():
        raise errors.UserError("Choose a word for the computer to say.")
    samples, rate_hz = say(str(words), voice)
    with tempfile.NamedTemporaryFile(
        prefix="spoken-", suffix=".wav", dir=os.environ.get("GRADIO_TEMP_DIR"), delete=False
    ) as file:
        soundfile.write(file, samples, rate_hz, subtype="PCM_16", format="WAV")
    return Path(file.name)


def spectrogram(samples: np.ndarray, rate_hz: int) -> str:
    """Draws the frequencies of a sound over time."""
    from scipy import signal

    window = max(_LEAST_WINDOW_SAMPLES, rate_hz // 40)
    padded = np.pad(samples, (0, max(0, window - len(samples))))
    hertz, seconds, power = signal.spectrogram(
        padded, rate_hz, nperseg=window, noverlap=window * 3 // 4, mode="psd"
    )
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    loudest = float(decibels.max())

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        shades = matplotlib.colors.LinearSegmentedColormap.from_list(
            "shades", [theme.ground, theme.model, theme.ink]
        )
        axes.pcolormesh(
            seconds, hertz / 1000, decibels, cmap=shades, vmin=loudest - _SPAN_DECIBELS,
            shading="nearest", rasterized=True,
        )  # fmt: skip
        axes.grid(visible=False)
        axes.set_xlabel("seconds")
        axes.set_ylabel("kilohertz")

    length = len(samples) / rate_hz
    told = f"Spectrogram of a sound of {length:.2f} seconds, up to {rate_hz / 2000:g} kilohertz."
    title = "The sound: a stronger colour is louder"
    return elements.picture(title, told, draw, height_inches=2.9)
