"""Recordings without words, cut up: clips of silence for each part, noise for training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps import audio_files
from apps.speech_commands import recordings

# Of each file in order of time, so that no sound of the test is heard in training
_SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
_LONGEST_SECONDS = 300.0  # of a file; what follows is left alone


def stretches(files: Sequence[Path]) -> dict[str, list[recordings.Place]]:
    """For each part its stretch of each file; UserError as `audio_files.length`."""
    found: dict[str, list[recordings.Place]] = {part: [] for part in _SHARES}
    for file in files:
        declared = audio_files.length(file)
        frames = min(declared.frames, int(_LONGEST_SECONDS * declared.sample_rate_hz))
        ends = np.rint(np.cumsum([0.0, *_SHARES.values()]) * frames).astype(int).tolist()
        for part, start, end in zip(_SHARES, ends, ends[1:], strict=False):
            if end > start:
                found[part].append(recordings.Place(str(file.resolve()), start, end - start))
    return found


def silence(
    places: Sequence[recordings.Place], count: int, clip_seconds: float, seed: Sequence[int]
) -> list[tuple[recordings.Recording, recordings.Place]]:
    """`count` clips from anywhere in the stretches; fewer where none is as long as a clip.

    Longer stretches give more of them. Clips may overlap each other, never another part's.
    """
    long_enough = []
    for place in places:
        rate = audio_files.length(Path(place.file)).sample_rate_hz
        clip = round(clip_seconds * rate)
        if place.frames is not None and place.frames >= clip:
            long_enough.append((place, rate, clip))
    if not long_enough:
        return []
    random = np.random.default_rng(list(seed))
    seconds = np.array([(place.frames or 0) / rate for place, rate, _ in long_enough])
    made = []
    for turn in random.choice(len(long_enough), size=count, p=seconds / seconds.sum()):
        place, rate, clip = long_enough[turn]
        first = place.first_frame + int(random.integers((place.frames or 0) - clip + 1))
        file = Path(place.file)
        name = f"{file.parent.name}/{file.name} at {first / rate:.3f} s"
        made.append(
            (
                recordings.Recording(name, recordings.SILENCE, ""),
                recordings.Place(place.file, first, clip),
            )
        )
    return made
