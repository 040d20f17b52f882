"""Arrays that grow block by block, in memory or in a file that is then mapped into memory."""

from pathlib import Path

import numpy as np

BLOCK_ROWS = 2**16
"""Rows of what is read, checked or written at a time."""


class GrowingArray:
    """Rows of one kind; `finish` makes an array of them, and nothing can be added after it.

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
        """All rows; of a file, pages that the system reads and drops as it needs."""
        if self._path is None:
            empty = np.zeros((0, *self._shape), self._dtype)
            rows = np.concatenate([empty, *self._blocks])
            self._blocks = []
            return rows
        assert self._file is not None
        self._file.close()
        return mapped(self._path, self._dtype, self._shape)


def mapped(file: Path, dtype: type | np.dtype, row_shape: tuple[int, ...]) -> np.ndarray:
    """A file of rows as an array; what is written to it stays in memory."""
    if not file.stat().st_size:
        return np.zeros((0, *row_shape), dtype)
    return np.memmap(file, dtype, mode="c").reshape(-1, *row_shape)
