"""Reads clips from the user's files."""

import hashlib
from collections.abc import Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.speech_commands import recordings
from apps.suite.sounds import sound_files


@dataclass(frozen=True)
class FileReader:
    """Reads files below a folder, or at absolute paths."""

    folder: Path
    sample_rate_hz: int  # to which they are brought

    def read(self, place: recordings.Place) -> np.ndarray:
        path = self.folder / place.file
        return sound_files.read(path, self.sample_rate_hz, place.first_frame, place.frames)

    def digests(self, places: Sequence[recordings.Place]) -> list[str]:
        """Looks at every header as well: what cannot be a clip is said before any work is done."""
        with futures.ThreadPoolExecutor() as pool:  # hashing and reading run beside each other
            return list(pool.map(self._digest, places))

    def _digest(self, place: recordings.Place) -> str:
        path = self.folder / place.file
        if place.frames is None:
            sound_files.check_clip(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
