"""A short and a long recording for the small run, for tests over all tasks."""

import soundfile

from tests.apps.speech_to_text import small_run


def arguments(folder):
    """Returns what `predict` is to be asked; writes files to `folder`."""
    soundfile.write(folder / "clip.wav", small_run.sound(1.5, 1), small_run.RATE_HZ)
    soundfile.write(folder / "long.flac", small_run.sound(61, 3), small_run.RATE_HZ)
    return [str(folder)]
