"""Reads tables in long form: one row for each step, and a column that names the sequence.

    sequence,step,subject,label,x,y
    walk-1,0,anna,walking,0.1,0.9
    walk-1,1,anna,walking,0.2,
    walk-2,0,ben,standing,0.0,0.3

The other numeric columns are the channels. The rows of a sequence need not stand together, but its
steps must rise.
"""

from __future__ import annotations

import contextlib
import tempfile
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from apps.suite import errors
from apps.suite.runs import cache, files
from apps.suite.sequences import config as configs
from apps.suite.sequences import ragged
from apps.suite.tables import cells, forms, large_arrays, reader, times
from apps.suite.tables import series as parts_of_data

if typing.TYPE_CHECKING:
    import pyarrow as pa

LARGE_BYTES = 2**28
"""Tables that would take more memory than this are read into a file that is mapped into memory."""

SEQUENCE_NAMES = ("sequence", "sequence_id", "recording", "unit", "unit_id", "series", "id")
STEP_NAMES = ("step", "cycle", "time", "timestamp", "t")
GROUP_NAMES = ("group", "subject", "speaker", "person", "user", "machine")

Kind = Literal["number", "word"]
_NewArray = Callable[[str, type, int], large_arrays.GrowingArray]


class Roles(typing.NamedTuple):
    """The columns of a table by role; None for a role that no column has."""

    sequence: str | None
    step: str | None
    group: str | None
    part: str | None
    further: tuple[str, ...]
    channels: tuple[str, ...]
    left_out: tuple[str, ...]  # text, or ignored by the config


def read(
    path: Path,
    settings: configs.SequenceFormatConfig,
    further: Mapping[str, Kind],
    *,
    constant: Sequence[str] = (),
    learned: Sequence[str] | None = None,
) -> ragged.Sequences:
    """Reads a csv or parquet file; sequences come in the order of their first rows.

    Args:
        path: of the file.
        settings: name the columns; "" lets them be found by name.
        further: columns that are not channels, such as labels and targets: numbers or words.
        constant: those of `further` that have one value in all rows of a sequence.
        learned: the channels of the training, in their order; None without a training.

    Raises:
        UserError: a column that is missing, no channel, no row, a cell that cannot be read, steps
            that do not rise, a group, part or constant column that changes inside a sequence: with
            file and line.
    """
    table = reader.open_table(path)
    roles: Roles | None = None
    with _arrays(table) as new_array:
        for block in table.blocks():
            if roles is None:
                roles = find_roles(table, block, settings, further, learned)
                rows = _Rows(roles, settings, further, constant, new_array)
            rows.add(block)
        if roles is None or not rows.count:
            raise errors.UserError(f"{path}: has no rows after the line of names")
        return rows.sequences(path)


def find_roles(
    table: reader.Table,
    first: cells.Block,
    settings: configs.SequenceFormatConfig,
    further: Mapping[str, Kind],
    learned: Sequence[str] | None = None,
) -> Roles:
    """Finds the columns of a table by the config, by their names, and by their first cells.

    Raises UserError for a column that the config names and the table lacks, for a table without a
    column that names the sequences, and for one without channels.
    """
    names = table.names
    lower = {name.lower(): name for name in reversed(names)}

    def found(field: str, known: Sequence[str]) -> str | None:
        wanted = getattr(settings, field)
        if wanted == "none":
            return None
        if wanted and wanted not in names:
            raise errors.UserError(
                f"{table.source}: lacks the column {wanted} of --data_format.{field}; "
                f"there are {', '.join(names)}"
            )
        return wanted or next((lower[name] for name in known if name in lower), None)

    missing = [name for name in further if name not in names]
    if missing:
        raise errors.UserError(
            f"{table.source}: lacks the column {missing[0]}; there are {', '.join(names)}"
        )
    sequence = found("sequence_column", SEQUENCE_NAMES)
    if sequence is None and settings.sequence_column != "none":
        raise errors.UserError(
            f"{table.source}: no column names the sequences; name one with "
            f"--data_format.sequence_column; there are {', '.join(names)}"
        )
    part = found("part_column", ("part",))
    taken: set[str | None] = {sequence, part, *further, *settings.ignored_columns}
    step = found("step_column", [name for name in STEP_NAMES if lower.get(name) not in taken])
    group = found("group_column", [name for name in GROUP_NAMES if lower.get(name) not in taken])
    if settings.step_channel and step is None:
        told = "data_format.step_channel needs a column of the steps: --data_format.step_column"
        raise errors.UserError(f"{table.source}: {told}; there are {', '.join(names)}")
    roles = {*taken, group, None if settings.step_channel else step}
    others = [name for name in names if name not in roles]
    channels = tuple(name for name in others if name and cells.is_numeric(first, name))
    left_out = tuple(name for name in others if name not in channels)
    if learned is not None:
        lacking = [name for name in learned if name not in names]
        if lacking:
            raise errors.UserError(
                f"{table.source}: lacks the column {lacking[0]}, which was learned; there are "
                f"{', '.join(names)}"
            )
        channels, left_out = tuple(learned), ()
    if not channels:
        raise errors.UserError(
            f"{table.source}: no column of numbers beside {sequence or step}; there are "
            f"{', '.join(names)}"
        )
    return Roles(sequence, step, group, part, tuple(further), channels, left_out)


class _Rows:
    """Collects the rows of a table block by block, and sorts them by sequence at the end."""

    def __init__(
        self,
        roles: Roles,
        settings: configs.SequenceFormatConfig,
        further: Mapping[str, Kind],
        constant: Sequence[str],
        new_array: _NewArray,
    ) -> None:
        self._roles, self._new_array, self._sorted = roles, new_array, 0
        self._settings = settings
        self.names, self.count = _Numbered(), 0
        self._sequence = new_array("sequence", np.int32, 0)
        self._values = new_array("values", np.float32, len(roles.channels))
        self._step = new_array("step", np.float64, 0) if roles.step else None
        self._numbers = {
            name: new_array(f"number_{at}", np.float64, 0)
            for at, (name, kind) in enumerate(further.items())
            if kind == "number"
        }
        self._words = {
            name: (_Numbered(), new_array(f"word_{at}", np.int32, 0))
            for at, (name, kind) in enumerate(further.items())
            if kind == "word"
        }
        self._clock: times.Clock | None = None
        self._last_step = np.zeros(0)
        self._fixed = {
            name: np.zeros(0, np.int64) for name in (roles.group, roles.part, *constant) if name
        }
        self._values_of: dict[str, _Numbered] = {name: _Numbered() for name in self._fixed}

    def add(self, block: cells.Block) -> None:
        """Adds the rows of a block; UserError with file and line for what cannot be read."""
        import pyarrow as pa

        roles = self._roles
        size = len(next(iter(block.columns.values())))
        self.count += size
        if roles.sequence:
            sequence = self.names.numbers(cells.names(block, roles.sequence))
        else:
            sequence = self.names.numbers(pa.array(["all rows"] * size, pa.string()))
        self._sequence.append(sequence)
        self._values.append(
            np.stack([cells.numbers(block, name) for name in roles.channels], axis=1)
        )
        if self._step is not None and roles.step:
            self._step.append(self._rising(block, roles.step, sequence))
        for name, array in self._numbers.items():
            array.append(cells.numbers(block, name))
        for name, (known, array) in self._words.items():
            missing = pa.array(cells.missing(block.columns[name]))
            array.append(known.numbers(_text(block, name), missing))
        for name in self._fixed:
            self._check_fixed(block, name, sequence)

    def _rising(self, block: cells.Block, name: str, sequence: np.ndarray) -> np.ndarray:
        """Returns the steps of a block; UserError for one that does not come after the last."""
        zone, form = self._settings.time_zone, self._settings.time_format
        if self._clock is None and not form and cells.is_numeric(block, name):
            found = cells.numbers(block, name)
        else:
            self._clock = self._clock or times.Clock(name, zone, form)
            found = self._clock.read(block) / times.SECOND
        if np.isnan(found).any():
            row = int(np.isnan(found).argmax())
            raise errors.UserError(f"{block.place(row)}: {name} is empty; number every step")
        self._last_step = _grown(self._last_step, len(self.names), -np.inf)
        order = np.argsort(sequence, kind="stable")
        sorted_steps, sorted_sequence = found[order], sequence[order]
        before = np.concatenate([[-np.inf], sorted_steps[:-1]])
        begins = np.concatenate([[True], sorted_sequence[1:] != sorted_sequence[:-1]])
        before[begins] = self._last_step[sorted_sequence[begins]]
        wrong = order[sorted_steps <= before]
        if len(wrong):
            row = int(wrong.min())
            last = before[order == row][0]
            here, above = (
                forms.written(each * times.SECOND) if self._clock else f"{each:g}"
                for each in (found[row], last)
            )
            said = "comes twice" if last == found[row] else f"comes after {above}"
            raise errors.UserError(
                f"{block.place(row)}: {name} {here} {said} in {self._name(sequence[row])}; "
                f"sort each sequence by {name}, or say --data_format.step_column none"
            )
        ends = np.concatenate([begins[1:], [True]])
        self._last_step[sorted_sequence[ends]] = sorted_steps[ends]
        return found

    def _check_fixed(self, block: cells.Block, name: str, sequence: np.ndarray) -> None:
        """Raises UserError where a column changes inside a sequence."""
        numbers = self._values_of[name].numbers(_text(block, name))
        known = self._fixed[name] = _grown(self._fixed[name], len(self.names), -1)
        first = np.unique(sequence, return_index=True)[1]
        new = first[known[sequence[first]] < 0]
        known[sequence[new]] = numbers[new]
        wrong = known[sequence] != numbers
        if wrong.any():
            row = int(wrong.argmax())
            words = self._values_of[name].words
            raise errors.UserError(
                f"{block.place(row)}: {name} is {words[numbers[row]]!r}, and it was "
                f"{words[known[sequence[row]]]!r} before in {self._name(sequence[row])}"
            )

    def _name(self, number: int) -> str:
        """Returns the sequence that a message is about."""
        if self._roles.sequence is None:
            return self.names.words[number]
        return f"{self._roles.sequence} {self.names.words[number]!r}"

    def sequences(self, path: Path) -> ragged.Sequences:
        """Returns all rows, sequence by sequence."""
        sequence = self._sequence.finish()
        together = bool((np.diff(sequence) >= 0).all())
        order = np.argsort(sequence, kind="stable")

        def sorted_rows(array: large_arrays.GrowingArray, columns: int = 0) -> np.ndarray:
            rows = array.finish()
            if together:
                return rows
            self._sorted += 1
            copy = self._new_array(f"sorted_{self._sorted}", rows.dtype.type, columns)
            for block in large_arrays.blocks(len(rows), columns):
                copy.append(rows[order[block]])
            return copy.finish()

        roles = self._roles
        parts = self._of_sequences(roles.part)
        wrong = next((part for part in parts or () if part not in ("", *parts_of_data.PARTS)), None)
        if wrong is not None:
            raise errors.UserError(
                f"{path}: {roles.part} is {wrong!r}; write train, validation or test"
            )
        groups = self._of_sequences(roles.group)
        if groups and not all(groups):
            name = self.names.words[groups.index("")]
            raise errors.UserError(f"{path}: {roles.group} of {name!r} is empty; fill it")
        return ragged.Sequences(
            names=tuple(self.names.words),
            channel_names=roles.channels,
            values=sorted_rows(self._values, len(roles.channels)),
            starts=ragged.starts_of(np.bincount(sequence, minlength=len(self.names))),
            groups=groups,
            parts=parts or (),
            steps=None if self._step is None else sorted_rows(self._step),
            numbers={name: sorted_rows(array) for name, array in self._numbers.items()},
            words={
                name: ragged.Words(sorted_rows(array), tuple(known.words))
                for name, (known, array) in self._words.items()
            },
            notes=_notes(path, roles, len(self.names), len(sequence)),
        )

    def _of_sequences(self, name: str | None) -> tuple[str, ...] | None:
        """Returns a column that is constant in each sequence, as text by sequence."""
        if name is None:
            return None
        words = self._values_of[name].words
        return tuple(words[number] for number in self._fixed[name])


class _Numbered:
    """Numbers words in the order in which they first come."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._number_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, column: pa.Array, missing: pa.Array | None = None) -> np.ndarray:
        """Returns the number of each cell, int32 [rows]; -1 where it is missing."""
        import pyarrow.compute as pc

        if missing is not None:
            column = pc.if_else(missing, None, column)
        coded = column.dictionary_encode()
        for word in coded.dictionary.to_pylist():
            if word not in self._number_of:
                self._number_of[word] = len(self.words)
                self.words.append(word)
        table = np.array([self._number_of[word] for word in coded.dictionary.to_pylist()], np.int32)
        indices = np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False))
        return np.where(indices >= 0, np.append(table, -1)[indices], -1).astype(np.int32)


def _text(block: cells.Block, name: str) -> pa.Array:
    """Returns a column as text without space around it; a missing cell is ""."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = block.columns[name]
    try:
        text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    except pa.ArrowException:
        raise errors.UserError(
            f"{block.source}: column {name} is of type {column.type}, not text"
        ) from None
    return pc.if_else(pa.array(cells.missing(column)), "", text)


def _grown(array: np.ndarray, count: int, fill: float) -> np.ndarray:
    added = np.full(count - len(array), fill, array.dtype)
    return np.concatenate([array, added]) if len(added) else array


def _notes(path: Path, roles: Roles, sequences: int, rows: int) -> tuple[str, ...]:
    """Tells what was understood of a table."""
    said = f"{path.name}: {rows:,} rows"
    if roles.sequence:
        said = f"{path.name}: {sequences:,} sequences by {roles.sequence}, {rows:,} rows"
    said += f", steps by {roles.step}" if roles.step else ", steps in the order of rows"
    if roles.group:
        said += f", groups by {roles.group}"
    notes = [said, f"{path.name}: channels {', '.join(roles.channels)}"]
    if roles.left_out:
        notes.append(f"{path.name}: left out, as they are not numbers: {', '.join(roles.left_out)}")
    return tuple(notes)


@contextlib.contextmanager
def _arrays(table: reader.Table) -> Iterator[_NewArray]:
    """Makes arrays in memory, or for a large table in files that vanish with the process."""
    with contextlib.ExitStack() as opened:
        folder: Path | None = None
        if table.size_bytes > LARGE_BYTES:
            kept = cache.folder("sequences")
            opened.enter_context(cache.locked(kept))
            # Removed at the end, and by the next reading if this one is killed; what is mapped
            # into memory stays
            partial = tempfile.TemporaryDirectory(prefix=files.PARTIAL, dir=kept)
            folder = Path(opened.enter_context(partial))

        def new_array(name: str, dtype: type, columns: int) -> large_arrays.GrowingArray:
            made = large_arrays.GrowingArray(dtype, columns, folder / name if folder else None)
            opened.callback(made.close)
            return made

        yield new_array
