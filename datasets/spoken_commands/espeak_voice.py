"""Words as espeak-ng says them, through the C interface of the library in `espeakng-loader`."""

import ctypes
from pathlib import Path

import espeakng_loader
import numpy as np

# espeak-ng/speak_lib.h: AUDIO_OUTPUT_SYNCHRONOUS, espeakCHARS_UTF8 and three of espeak_PARAMETER
_SYNCHRONOUS, _UTF8, _RATE, _PITCH, _RANGE = 2, 1, 1, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class EspeakVoice:
    """A speaker of English; the library's state is one for the whole process, so have only one.

    The same words in the same order from a fresh process sound the same, sample by sample. Within
    a process they don't: a phase is carried on from one word to the next.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path()
        self.variants = {file.name for file in Path(data, "voices", "!v").iterdir()}
        self.sample_rate_hz: int = self._library.espeak_Initialize(
            _SYNCHRONOUS, 0, str(data).encode(), 0
        )
        if self.sample_rate_hz <= 0:
            raise OSError(f"espeak-ng does not start with its data in {data}")
        self._blocks: list[np.ndarray] = []
        self._callback = _CALLBACK(self._take)  # kept: C holds no reference
        self._library.espeak_SetSynthCallback(self._callback)
        # Breath and flutter draw from a generator that otherwise starts from the clock.
        self._library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]

    def say(
        self, text: str, accent: str, variant: str, rate: int, pitch: int, pitch_range: int
    ) -> np.ndarray:
        """Float32 [samples] in -1..1, with the quiet before and behind it.

        Args:
            text: what is said; its punctuation bends the melody.
            accent: a voice of espeak-ng, such as `en-us`.
            variant: whose throat it is, such as `f3`; see `variants`.
            rate: words a minute, 80 to 450.
            pitch: 0 to 99, 50 is the variant's own.
            pitch_range: 0 (a monotone) to 99, 50 is the variant's own.

        Raises:
            ValueError: no such accent or variant. The library would stay with the voice before,
                or take the accent without the variant.
        """
        name = f"{accent}+{variant}"
        known = variant in self.variants
        if not known or self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {name}")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._library.espeak_ng_SetRandSeed(1)
        self._blocks.clear()
        encoded = text.encode()
        status = (
            self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, _UTF8, None, None)
            or self._library.espeak_Synchronize()
        )
        if status != 0 or not self._blocks:
            raise ValueError(f"espeak-ng cannot say {text!r} as {name} (status {status})")
        return np.concatenate(self._blocks).astype(np.float32) / 32768

    def _take(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, events: int) -> int:
        del events
        if count > 0:
            self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0  # go on
