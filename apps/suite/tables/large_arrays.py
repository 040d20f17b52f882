"""Arrays that grow block by block, in memory or in a file that is then mapped into memory."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_MOST_ROWS = 2**16


class GrowingArray:
    """Rows that are added block by block; `finish` makes an array of them, and ends it.

    Args:
        dtype: of the array.
        columns: 0 for an array of one dimension.
        file: to be written; None keeps the rows in memory.
    """

    def __init__(self, dtype: type, columns: int = 0, file: Path | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._shape = (columns,) if columns else ()
        self._path = file
        self._file = file.open("wb") if file else None
        self._blocks: list[np.ndarray] = []

    def append(self, block: np.ndarray) -> None:
        """Adds rows, which are cast to the array's type."""
        block = np.ascontiguousarray(block, self._dtype).reshape(-1, *self._shape)
        if self._file:
            self._file.write(block.data)
        else:
            self._blocks.append(block)

    def finish(self) -> np.ndarray:
        """Returns all rows; of a file, pages that the system reads and drops as it needs."""
        if self._path is None:
            empty = np.zeros((0, *self._shape), self._dtype)
            rows = np.concatenate([empty, *self._blocks])
            self._blocks = []
            return rows
        self.close()
        return mapped(self._path, self._dtype, self._shape)

    def close(self) -> None:
        """Closes the file, if there is one."""
        if self._file:
            self._file.close()


def blocks(count: int, columns: int, numbers: int = 2**18) -> Iterator[slice]:
    """Yields consecutive slices that cover `count` rows, each of about `numbers` values."""
    rows = max(1, min(_MOST_ROWS, numbers // max(1, columns)))
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def mapped(file: Path, dtype: type | np.dtype, row_shape: tuple[int, ...]) -> np.ndarray:
    """Returns a file of rows as an array that cannot be written to."""
    if not file.stat().st_size:
        return np.zeros((0, *row_shape), dtype)
    # A private, writable map would count as memory as a whole
    return np.memmap(file, dtype, mode="r").reshape(-1, *row_shape)


def writable_copy(array: np.ndarray) -> np.ndarray:
    """Returns a copy that may be changed; a mapped file's lies in an unnamed file beside it."""
    if not isinstance(array, np.memmap):
        return array.copy()
    original = Path(str(array.filename))
    with tempfile.TemporaryFile(dir=original.parent) as copy:
        with original.open("rb") as file:
            shutil.copyfileobj(file, copy)
        copy.flush()
        return np.memmap(copy, array.dtype, mode="r+", shape=array.shape)
