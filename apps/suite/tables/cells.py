"""Interprets the cells of a table: one grammar for training, `predict`, bulk scoring and the demo.

| cell | in a column of numbers | in a column of truths | in a column of text |
|---|---|---|---|
| `` (empty), `NA` `N/A` `#N/A` `NaN` `-nan` `null` `None` `-` `?`, in any case | missing | missing | text; an empty name is refused |
| ` 1.5 `, `+1.5`, `1.`, `.5`, `1e-3` | a number; space around it does not count | `1`, `1.0`, `0`, `0.0` only | text with its space |
| `1,5` | 1.5 if the delimiter is not a comma, or if the file writes decimals so; else refused | refused | text |
| `1.234,5`, `1,234.5`, `1,234,567` | a number in groups of thousands, by the file's mark of decimals | refused | text |
| `1,234` or `1.234` beside whole numbers below 1000 only | refused until `decimal_mark` says what the mark means | refused | text |
| `1_000`, `0x10`, `inf`, `1e39`, beyond float32 | refused | refused | text |
| `true`, `false`, in any case | 1 and 0 in a column of nothing else, else refused | a truth | text |
| `t` `yes` `y`, `f` `no` `n`, in any case | refused | a truth | text |
| true and false of a parquet file | 1 and 0 | a truth | refused |

The mark of decimals is given, or found in the first rows: in the column's own cells that allow one
reading only (`1,5`, `0.512`, `1.234,5`), else in those of the file's other columns.

Delimiters are `,` `;` tab and `|`, found in the line of names; `.csv.gz` and `.tsv.gz` are
decompressed, and UTF-16 is read where a byte order mark says so. A cell in double quotes may hold delimiters and line ends, and means what it would
mean without them. A missing number is NaN where a signature or a model takes gaps, else an error.
"""  # noqa: E501

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apps.suite import errors
from apps.suite.tables import forms

if typing.TYPE_CHECKING:
    import pyarrow as pa

MISSING = ("", "-", "?", "na", "n/a", "#n/a", "nan", "-nan", "null", "none")
TRUE = ("1", "1.0", "true", "t", "yes", "y")
FALSE = ("0", "0.0", "false", "f", "no", "n")
"""Words in lower case; case and space around them do not count."""

_IS_NUMBER = re.compile(forms.NUMBER)
_LOOKED_AT = 200  # cells of a column, to tell what it holds


@dataclass(frozen=True)
class Block:
    """Rows of a table that follow each other, column by column.

    Attributes:
        source: the file, for messages.
        first: number of the first row, from 1; the line of names does not count.
        columns: text in a csv file, where an empty cell is ""; typed in a parquet file.
        decimal_comma: true if a comma may stand before the forms.
        line_of: gives the line of a row in a text file; None for a parquet file.
        decimal_mark: "." or "," where it is given; "" if the cells show it.
        marks: what the first block has shown, by column; the blocks of a reading share it.
        numbers_of_rows: int [rows], if rows between these were left out.
    """

    source: str
    first: int
    columns: dict[str, pa.Array]
    decimal_comma: bool = True
    line_of: Callable[[int], int] | None = None
    decimal_mark: str = ""
    marks: dict[str, str] = field(default_factory=dict)
    numbers_of_rows: np.ndarray | None = None

    def place(self, row: int) -> str:
        """Returns the file and the line (or row) of a row of the block, for messages."""
        number = self.first + row
        if self.numbers_of_rows is not None:
            number = int(self.numbers_of_rows[row])
        if self.line_of is None:
            return f"{self.source}: row {number}"
        return f"{self.source}: line {self.line_of(number)}"


def is_missing(text: str) -> bool:
    """Returns true for a cell that stands for a missing value."""
    return text.strip().lower() in MISSING


def number(text: str, decimal_comma: bool = False, mark: str = "") -> float:
    """Returns the number in a cell, NaN if it is missing; raises ValueError for another text.

    Args:
        text: of the cell.
        decimal_comma: true if a comma may stand before the decimals.
        mark: of decimals in the column, see `mark_of`; "" where any reading is right.
    """
    if is_missing(text):
        return float("nan")
    plain = text.strip()
    if mark == forms.UNCLEAR and forms.is_either(plain):
        raise ValueError(f"{text!r} is decimals or a group of thousands")
    if mark in (".", ","):
        plain = forms.with_point(plain, mark)
    elif decimal_comma:
        plain = plain.replace(",", ".")
    if not _IS_NUMBER.fullmatch(plain):
        raise ValueError(f"{text!r} is not a number")
    return float(plain)


def mark_of(texts: Sequence[str], others: Sequence[Sequence[str]], decimal_comma: bool) -> str:
    """Returns `forms.decimal_mark` of a column's cells and of those of the file's other columns."""
    import pyarrow as pa

    def column(cells: Sequence[str]) -> pa.Array:
        # Bytes that are not UTF-8 stand as surrogates, which arrow refuses: they make no number
        plain = (text.encode("utf-8", "ignore").decode() for text in cells)
        return _word(pa.array([text for text in plain if not is_missing(text)], pa.string()))

    own, *rest = map(column, (texts, *others))
    return forms.decimal_mark(own, rest, decimal_comma)


def is_number(text: str, decimal_comma: bool = True) -> bool:
    """Returns true for a number that is not missing."""
    try:
        return not np.isnan(number(text, decimal_comma))
    except ValueError:
        return False


def truth(text: str) -> bool:
    """Returns the truth in a cell; raises ValueError for another text, or a missing one."""
    word = text.strip().lower()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise ValueError(f"{text!r} is neither true nor false")


def are_data(texts: Sequence[str]) -> bool:
    """Returns true for a line of numbers, some of them perhaps missing."""
    return any(map(is_number, texts)) and all(is_number(text) or is_missing(text) for text in texts)


def missing(column: pa.Array) -> np.ndarray:
    """Returns a mask of a column's missing cells, bool [rows]."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type):
        empty = pc.or_(pc.is_in(_word(column), pa.array(MISSING)), column.is_null())
        return np.asarray(empty.to_numpy(zero_copy_only=False), np.bool_)
    return np.asarray(column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False), np.bool_)


def numbers(block: Block, name: str) -> np.ndarray:
    """Returns a column as float64 [rows], NaN where missing.

    Raises:
        UserError: a cell that is not a number, or beyond float32, with its place; a cell that may
            be a group of thousands as well as forms.
    """
    import pyarrow as pa

    column = block.columns[name]
    mark = _mark(block, name)
    if mark == forms.UNCLEAR:
        row = forms.first_either(_word(column))
        text = column[row].as_py()
        raise errors.UserError(
            f"{block.place(row)}: {name} is {shown(text)}, and other cells are below 1000: is it "
            f"{text.replace(',', '').replace('.', '')} or {text.replace(',', '.')}? Write no mark "
            'between thousands, or say --data_format.decimal_mark "." or ","'
        )

    def read(part: pa.Array) -> np.ndarray:
        return _as_float(part, block.decimal_comma, mark)

    try:
        values = read(column)
    except pa.ArrowInvalid:
        row = first_bad(column, read)
        text = str(column[row].as_py())
        advice = "leave it empty where it is missing"
        if re.search("[.,]", text) and re.fullmatch(r"[+-]?[0-9.,]+", text.strip()):
            advice = 'write all decimals alike, or say --data_format.decimal_mark "." or ","'
        raise errors.UserError(
            f"{block.place(row)}: {name} is {shown(text)}, which is not a number; {advice}"
        ) from None
    too_large = np.abs(values) > np.finfo(np.float32).max
    if too_large.any():
        row = int(too_large.argmax())
        raise errors.UserError(
            f"{block.place(row)}: {name} is {values[row]}; leave it empty where it is missing"
        )
    return values


_TRUTHS = "truths"


def _mark(block: Block, name: str) -> str:
    """Returns a column's mark of decimals: given, or shown by the first block; "" for neither."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = block.columns[name]
    if not pa.types.is_string(column.type):
        return ""
    if name not in block.marks:
        words = _word(column.filter(pa.array(~missing(column))))
        others = (
            _word(each)
            for other, each in block.columns.items()
            if other != name and pa.types.is_string(each.type)
        )
        truths = pc.sum(pc.is_in(words, pa.array(["true", "false"]))).as_py() or 0
        if truths and 2 * truths >= len(words):
            block.marks[name] = _TRUTHS
        else:
            block.marks[name] = block.decimal_mark or forms.decimal_mark(
                words, others, block.decimal_comma
            )
    return block.marks[name]


def truths(
    block: Block, name: str, true: Sequence[str] = (), false: Sequence[str] = ()
) -> np.ndarray:
    """Returns a column as bool [rows]; a missing cell is false.

    Args:
        block: of a table.
        name: of the column.
        true, false: further words, in lower case.

    Raises:
        UserError: a cell that is neither, with its place.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = block.columns[name]
    words = _word(column if pa.types.is_string(column.type) else pc.cast(column, pa.string()))
    is_true, is_false = (
        np.asarray(
            pc.fill_null(pc.is_in(words, pa.array(known)), False).to_numpy(zero_copy_only=False)
        )
        for known in ((*TRUE, *true), (*FALSE, *false))
    )
    known = is_true | is_false | missing(column)
    if not known.all():
        row = int((~known).argmax())
        raise errors.UserError(
            f"{block.place(row)}: {name} is {shown(str(column[row].as_py()))}; a label is 0 or 1, "
            "and a column without labels belongs to --data_format.ignored_columns"
        )
    return np.asarray(is_true, np.bool_)


def names(block: Block, name: str) -> pa.Array:
    """Returns a column as text, each cell exactly as written; 33.0 of a parquet file is 33.

    Raises:
        UserError: an empty cell, with its place, or a column that holds neither text nor numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = block.columns[name]
    try:
        column = _written(column)
    except pa.ArrowException:
        raise errors.UserError(
            f"{block.source}: column {name} is of type {column.type}; names must be text or numbers"
        ) from None
    empty = pc.fill_null(pc.equal(column, ""), True).to_numpy(zero_copy_only=False)
    if empty.any():
        row = int(empty.argmax())
        raise errors.UserError(f"{block.place(row)}: {name} is empty; fill it or remove the row")
    return column


def _written(column: pa.Array) -> pa.Array:
    """Returns text; whole numbers without a point, though a gap among them made them float64."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(column.type):
        return column.cast(pa.string())
    column = pc.if_else(pc.is_nan(column), None, column)
    is_whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))
    whole = pc.if_else(is_whole, column, None).cast(pa.int64()).cast(pa.string())
    return pc.if_else(pc.fill_null(is_whole, False), whole, column.cast(pa.string()))


def is_numeric(block: Block, name: str) -> bool:
    """Returns true for a column of numbers: by its type, or by most of its first cells."""
    import pyarrow as pa

    column = block.columns[name]
    kind = column.type
    if not pa.types.is_string(kind):
        return bool(
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_decimal(kind)
            or pa.types.is_null(kind)
        )
    found = present(column)
    mark = _mark(block, name)
    if mark in (forms.UNCLEAR, _TRUTHS):
        return True
    comma = block.decimal_comma or mark == ","
    read = sum(is_number(text, comma) or forms.is_grouped(text, mark) for text in found)
    return 2 * read >= len(found)


def present(column: pa.Array, most: int = _LOOKED_AT) -> list[Any]:
    """Returns the first cells of a column that are not missing."""
    import pyarrow as pa

    return list(column.filter(pa.array(~missing(column)))[:most].to_pylist())


def first_bad(column: pa.Array, read: Callable[[pa.Array], Any]) -> int:
    """Returns the first row at which `read`, which raises ArrowInvalid for the column, does so."""
    import pyarrow as pa

    low, high = 0, len(column)  # [0, low) can be read, [0, high) cannot
    while high - low > 1:
        middle = (low + high) // 2
        try:
            read(column[low:middle])
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def shown(cell: Any) -> str:
    """Returns a cell as messages show it, cut if it is long."""
    text = repr(cell)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _word(column: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.utf8_lower(pc.utf8_trim_whitespace(column))


def _as_float(column: pa.Array, decimal_comma: bool, mark: str) -> np.ndarray:
    """Returns float64 [rows], NaN where missing; ArrowInvalid for a cell that is not a number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if mark == _TRUTHS:
        return _truths_as_float(column)
    if pa.types.is_string(column.type):
        try:
            if mark == ",":
                raise pa.ArrowInvalid("a point parts thousands")
            values = np.asarray(
                pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), np.float64
            )
            if np.isfinite(values).all():  # the cast knows "inf" and "nan(1)" as well
                return values
        except pa.ArrowInvalid:
            pass
        plain = pc.utf8_trim_whitespace(column)
        if mark:
            plain = forms.with_points(plain, mark)
        elif decimal_comma:
            plain = pc.replace_substring(plain, ",", ".")
        plain = pc.if_else(pa.array(missing(column)), None, plain)
        good = pc.fill_null(pc.match_substring_regex(plain, f"^(?:{forms.NUMBER})$"), True)
        if not pc.all(good, min_count=0).as_py():
            raise pa.ArrowInvalid("not a number")
        cast = pc.cast(plain, pa.float64())
    elif pa.types.is_boolean(column.type):
        cast = pc.cast(pc.cast(column, pa.int8()), pa.float64())
    else:
        cast = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(cast.to_numpy(zero_copy_only=False), np.float64)


def _truths_as_float(column: pa.Array) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    words = _word(column)
    values = np.asarray(pc.equal(words, "true").to_numpy(zero_copy_only=False), np.float64)
    is_missing_cell = missing(column)
    known = pc.is_in(words, pa.array(["true", "false"])).to_numpy(zero_copy_only=False)
    if not (known | is_missing_cell).all():
        raise pa.ArrowInvalid("not a truth")
    values[is_missing_cell] = np.nan
    return values
