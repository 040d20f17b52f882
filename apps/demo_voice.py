"""A computer's voice, for a page that wants a word to listen to where nobody speaks one."""

from __future__ import annotations

import importlib.util
import threading
from typing import Any

import numpy as np

from apps import dataset_builders, errors

VOICES = {"a woman, American": ("en-us", "f3"), "a man, British": ("en-gb-x-rp", "m3")}
_WORDS_A_MINUTE, _PITCH, _PITCH_RANGE = 150, 50, 50  # of espeak-ng: as it usually speaks
_speaking = threading.Lock()  # espeak-ng has one state for the whole process
_voice: Any = None


def say(words: str, voice: str) -> tuple[np.ndarray, int]:
    """What espeak-ng makes of English words: float32 [samples] in -1..1, and their rate in hertz.

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
    """The voice of the data set that is spoken; its folder is no package."""
    file = dataset_builders.FOLDER / "spoken_commands" / "espeak_voice.py"
    spec = importlib.util.spec_from_file_location("espeak_voice_of_the_page", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
