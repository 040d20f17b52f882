"""Plans a scoring job: fits options, files and model together before anything is written."""

from __future__ import annotations

import collections
import dataclasses
import sys
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from apps.suite import errors
from apps.suite.scoring import answers, inputs, job, pieces, rows
from apps.suite.scoring import binding as input_columns
from apps.suite.scoring.binding import Binding
from apps.suite.scoring.pieces import Piece
from apps.suite.scoring.shard import Work
from apps.suite.serving import warmup_requests

if typing.TYPE_CHECKING:
    from apps.suite.scoring.options import Options
    from apps.suite.serving.models import ServedVersion


_ROWS_PER_SHARD = {"table": 10_000, "sound": 256, "video": 16}


def prepare(
    options: Options,
    kind: str,
    paths: Sequence[str],
    begun: Mapping[str, Any] | None,
    model: ServedVersion,
) -> job.Prepared:
    """Checks that options, files and model fit together, and counts the rows of tables.

    Args:
        options: of the command.
        kind: of the files: table, sound or video.
        paths: of the files.
        begun: _job.json of the output folder, or None.
        model: version that answers.

    Raises:
        UserError: something does not fit, or the output folder holds another job.
    """
    settings = inputs.settings(options.model)
    if kind == "table" and options.signature == "serving_default":
        chosen = settings.get("signature_of_tables", options.signature)
        options = dataclasses.replace(options, signature=chosen)
    if options.signature not in model.inputs:
        known = ", ".join(sorted(model.inputs))
        raise errors.UserError(f"--signature {options.signature}: {options.model} has {known}")
    settings = inputs.settings(options.model)
    binding = input_columns.bind(
        options.signature,
        model.inputs[options.signature],
        kind,
        input_columns.pairs("--inputs", options.inputs),
        input_columns.pairs("--constant", options.constant),
        options.separator,
        _channel_names(options.model, options.signature) if kind == "table" else (),
        settings.get("horizon_steps"),
        sequences="per" in settings and bool(settings.get("channel_names")),
    )
    if binding.layout == "waveform" and "sample_rate_hz" not in settings:
        told = "its assets/settings.json lacks the sample rate; choose a signature that takes bytes"
        raise errors.UserError(f"--model {options.model}: {told}")
    kept = _kept_types(options, binding, kind, paths)
    if binding.layout == "panel":
        kept = {"series": pyarrow.string(), "time": pyarrow.float64()}
        if settings["dated"]:
            kept["time"] = pyarrow.timestamp("us", "UTC")
    if binding.layout == "sequences":
        kept = {"sequence": pyarrow.string()}
    steps = int(binding.constants["horizon"]) if binding.layout == "panel" else 0
    series = binding.layout in ("series", "panel")
    is_whole = series or binding.layout == "sequences"
    if binding.layout == "series":
        _tell_unknown(binding, paths, settings)
    described = model.outputs[options.signature]
    outputs = answers.outputs(options.signature, described, options.outputs, series, steps)
    columns = answers.schema(outputs, kept)
    _check_constants(binding, model)
    rows_per_shard = options.rows_per_shard or _ROWS_PER_SHARD[kind]
    record = _record(options, binding, rows_per_shard)
    if begun is None:
        files = [inputs.described(path) for path in paths]
        shards = _shards(paths, kind, None if is_whole else rows_per_shard)
    else:
        job.check_same(options.to, begun, record)
        files = job.same_files(options.to, begun, paths)
        shards = [[Piece(*piece) for piece in shard] for shard in begun["shards"]]
    if not shards:
        raise errors.UserError(f"--input {' '.join(options.input)}: holds no row")
    work = Work(
        options.to,
        len(shards),
        options.format,
        binding,
        outputs,
        columns,
        tuple(kept),
        settings,
        options.rows_per_batch,
    )
    return job.Prepared(record, files, shards, work)


def _tell_unknown(binding: Binding, paths: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Tells which files are series of no training, where each series has a scale of its own."""
    if len(binding.wanted) < 2:
        return
    known, column = settings.get("series", {}), settings.get("data_format", {}).get("series_column")
    last = collections.Counter(name.rpartition("/")[2] for name in known)
    new = []
    for path in paths:
        name = rows.series_name(path, "", known)
        is_one = not column or column not in pieces.columns(path)
        if is_one and name not in known and last[name.rpartition("/")[2]] != 1:
            new.append(path)
    if new:
        more = f" and {len(new) - 1:,} more" if len(new) > 1 else ""
        told = "not a series of the training, so on the scale that all have in common (is_known)"
        print(f"{new[0]}{more}: {told}", file=sys.stderr)


def _record(options: Options, binding: Binding, rows_per_shard: int) -> dict[str, Any]:
    """Returns all settings that determine the output, under the names of the options."""
    return {
        "model": str(options.model),
        "model_sha256": inputs.fingerprint(options.model),
        "signature": options.signature,
        "inputs": {name: ",".join(columns) for name, columns in binding.columns.items()},
        "constant": input_columns.pairs("--constant", options.constant),
        "outputs": list(options.outputs),
        "keep": list(dict.fromkeys(options.keep)),
        "separator": options.separator,
        "format": options.format,
        "rows_per_shard": rows_per_shard,
        "rows_per_batch": options.rows_per_batch,
    }


def _channel_names(model: Path, signature: str) -> tuple[str, ...]:
    """Returns the channel names from the export's recorded answers; () without any."""
    file = model / warmup_requests.FILE
    for request in warmup_requests.read(file) if file.is_file() else ():
        names = request.answers.get("channel_names") if request.signature == signature else None
        if names is not None and np.ndim(names) == 2 and len(names):
            return tuple(name.decode() for name in names[0])
    return ()


def _kept_types(
    options: Options, binding: Binding, kind: str, paths: Sequence[str]
) -> dict[str, Any]:
    """Returns the types of the kept columns, and checks that every file has all columns read."""
    if kind != "table":
        for option, given in (("--keep", options.keep), ("--inputs", options.inputs)):
            if given:
                raise errors.UserError(f"{option}: {kind}s have no columns")
        return {}
    if binding.layout == "panel" and options.keep:
        raise errors.UserError("--keep: a step ahead is in no file; series and time are kept")
    if binding.layout == "sequences" and options.keep:
        raise errors.UserError("--keep: a sequence is many rows of a file; its name is kept")
    kept: dict[str, Any] = {}  # in the order of --keep
    for path in paths:
        there = pieces.columns(path)
        for name, columns in binding.columns.items():
            for column in columns:
                if column not in there:
                    say = f"--inputs {name}=COLUMN" if len(columns) == 1 else f"--inputs {name}=…"
                    raise errors.UserError(_lacking(path, column, there, say))
        for column in options.keep:
            if column not in there:
                raise errors.UserError(_lacking(path, column, there, "--keep"))
            if kept.setdefault(column, there[column]) != there[column]:
                told = f"{column} is {there[column]}, but {kept[column]} in {paths[0]}"
                raise errors.UserError(f"--keep {column}: {path}: {told}")
    return kept


def _lacking(path: str, column: str, there: Mapping[str, Any], say: str) -> str:
    names = list(there)
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return f"{path}: no column {column!r}; it has {shown}: choose with {say}"


def _check_constants(binding: Binding, model: ServedVersion) -> None:
    """Sends an empty request: a constant that it refuses is refused for every row."""
    from apps.suite.serving.models import Refusal

    if not binding.constants and not binding.repeated:
        return
    request = dict(binding.constants)
    for name, wanted in binding.wanted.items():
        # Of histories without a step: what reaches ahead has those of the horizon
        side = int(binding.constants["horizon"]) if name in ("known", "times") else 0
        side = side if binding.layout == "panel" else 0
        request[name] = np.zeros([0, *(each or side for each in wanted.sides)], wanted.kind)
    for name, value in binding.repeated.items():
        kind = value.dtype if isinstance(value, np.ndarray) else np.dtype(object)
        sides = [] if isinstance(value, bytes) else [len(np.atleast_1d(value))]
        request[name] = np.zeros([0, *sides], kind)
    try:
        model.answer(binding.signature, request)
    except Refusal as error:
        raise errors.UserError(f"--constant: signature {binding.signature}: {error}") from error


def _shards(paths: Sequence[str], kind: str, rows_per_shard: int | None) -> list[list[Piece]]:
    """Returns the pieces of each part of the output."""
    if kind == "table":
        return [
            [piece]
            for at, path in enumerate(paths)
            for piece in pieces.pieces(path, at, rows_per_shard)
        ]
    every = [Piece(at, 0, 1) for at in range(len(paths))]
    step = rows_per_shard or 1
    return [every[at : at + step] for at in range(0, len(every), step)]
