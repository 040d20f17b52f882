"""A log of one's own: csv, tsv, parquet, .inter, or lines of text."""

from __future__ import annotations

from pathlib import Path

from apps import errors
from apps.recommendation import config as configs
from apps.recommendation import table_files, text_files
from apps.recommendation.interactions import Log

_TABLES = {".csv": ",", ".tsv": "\t", ".inter": "\t", ".parquet": ""}
_KINDS = ".csv, .tsv, .parquet, .inter or .txt"


def is_path(name: str) -> bool:
    """Whether a name must be meant as a file, there or not."""
    return name.startswith((".", "/", "~")) or Path(name).suffix in {*_TABLES, ".txt"}


def read(path: Path, columns: configs.ColumnsConfig, sessions: configs.SessionsConfig) -> Log:
    """Reads the file by its ending.

    `.csv`, `.tsv` and `.parquet` have named columns (`table_files.read`); so has `.inter`, tab
    separated with a header such as `user_id:token item_id:token timestamp:float`, where the names
    `user`, `item` and `time` of the config mean these. `.txt` has a history a line, or an event a
    line (`text_files.read`).

    Raises:
        UserError: no such file, another kind, or what the readers refuse.
    """
    if not path.exists():
        raise errors.UserError(f"{path}: no such file")
    if path.is_dir():
        raise errors.UserError(f"{path}: is a folder; give the file of the log ({_KINDS})")
    if path.suffix == ".txt":
        return text_files.read(path)
    if path.suffix not in _TABLES:
        raise errors.UserError(f"{path}: of unknown kind; give {_KINDS}")
    return table_files.read(path, columns, sessions, delimiter=_TABLES[path.suffix])
