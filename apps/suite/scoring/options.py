"""Options of bulk scoring, light enough for `--help`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Options:
    """Score tables, sound files or videos with an export. A killed job resumes by the same command.

    Apache Beam runs the job and takes every option that is not listed here: --runner=FlinkRunner
    for another runner, --direct_num_workers=4 --direct_running_mode=multi_processing for processes
    on this machine. The default runner, FnApiRunner, runs on this machine and downloads nothing.
    """

    model: Path
    """Version folder of an export, such as exports/recommendation/1."""
    input: tuple[str, ...]
    """Files, folders or patterns of one kind: csv, tsv, parquet; wav, flac, ogg, mp3; or videos."""
    to: Path
    """Folder for the scores: part-….parquet (or .jsonl), _bad_rows.jsonl, _manifest.json."""
    signature: str = "serving_default"
    """Signature of the export that answers."""
    inputs: tuple[str, ...] = ()
    """INPUT=COLUMN or INPUT=COLUMN,COLUMN,… of a table; default: the column with the same name."""
    constant: tuple[str, ...] = ()
    """INPUT=VALUE, the same for all rows."""
    outputs: tuple[str, ...] = ()
    """Outputs to write; default: all."""
    keep: tuple[str, ...] = ()
    """Columns of the input to copy next to the scores."""
    separator: str = " "
    """Separator of list entries in a csv cell; default: white space."""
    format: Literal["parquet", "jsonl"] = "parquet"
    """Format of the scores."""
    rows_per_shard: int | None = None
    """Rows in each output file; default: 10,000 rows of a table, 256 sounds or 16 videos."""
    rows_per_batch: int = 64
    """Most rows in one request to the model."""
    workers: int = 2
    """Shards to score at the same time on this machine."""

    def __post_init__(self) -> None:
        for name in ("rows_per_batch", "workers", "rows_per_shard"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be at least 1, is {value}")
        if not self.input:
            raise ValueError("--input: name files, a folder or a pattern")
        if not self.separator:
            raise ValueError("--separator: must not be empty")
