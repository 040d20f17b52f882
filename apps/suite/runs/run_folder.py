"""The run folder: all that passes from one command of a task to the next.

    train     with run_folder.start(path, task, config, data, overwrite=…) as folder: …
                  folder.finish_training(seconds)
    evaluate  folder = run_folder.open_trained(path, task, Config); folder.write_metrics(…)
    predict, export
              folder = run_folder.open_finished(path, task, Config)

A run is trained once `finish_training` was called, and finished once metrics.json is there too.
"""

import contextlib
import contextvars
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

from apps.suite import errors, process
from apps.suite.distribution import distribution
from apps.suite.runs import config as config_fields
from apps.suite.runs import files
from apps.suite.runs import record as run_record

Config = TypeVar("Config")
write_atomically = files.write_atomically
_REPLACES = "replaces"  # in the record of a run that `overwrite` began
_CHECK_SECONDS = 15.0  # from data that are read to the first step, in a check
_SHARED_STORAGE_SECONDS = 30.0  # until one machine must see what another has written


@dataclasses.dataclass
class Check:
    """A check of data without a training; filled on the way.

    Attributes:
        data: name of the data, once they are read.
        begun: monotonic time at which they were.
        estimate: a sentence on the time of the training; none where its first step is far away.
        further: sentences on what takes as long, or longer, and is not in the estimate.
    """

    data: str = ""
    begun: float = 0.0
    estimate: str = ""
    further: list[str] = dataclasses.field(default_factory=list)


_check: contextvars.ContextVar[Check | None] = contextvars.ContextVar("check", default=None)


class Checked(Exception):
    """Ends a training where its steps would begin: see `only_checking`."""


@contextlib.contextmanager
def only_checking() -> Iterator[Check]:
    """Lets `start` give a folder that goes when it is closed, and `fit` end the training.

    The data is read and the network built as training does it, and nothing is left. The block
    ends with `Checked`.
    """
    token = _check.set(Check())
    try:
        check = checking()
        assert check is not None
        yield check
    finally:
        process.raise_after(0)
        _check.reset(token)


def takes_longer(sentence: str) -> None:
    """Tells a check what its estimate lacks; changes nothing in a training."""
    check = checking()
    if check is not None:
        check.further.append(sentence)


def checking() -> Check | None:
    """Returns the check that this process is at, None in a training."""
    return _check.get()


class RunFolder(Generic[Config]):
    """Files, config and data of a run. Use `start`, `open_trained` or `open_finished`.

    Attributes:
        path: the folder; all files below are in it.
        task, config: of which task the run is, and its typed config.
        data: name and fingerprint of the data, and whatever else the task noted on it.
        train_seconds: how long the training took, None until it has ended.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        record: dict[str, Any],
        lock: files.WriterLock | None = None,
        scratch: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.path = path
        self.config = config
        self.config_file = path / "config.json"
        self.checkpoints = path / "checkpoints"
        self.model_file = path / "model.keras"
        self.history_file = path / "history.csv"
        self.tensorboard = path / "tensorboard"
        self.metrics_file = path / "metrics.json"
        self.plots = path / "plots"
        self.report_file = path / "report.html"
        self._record = record
        self._lock = lock
        self._scratch = scratch

    @property
    def task(self) -> str:
        """Returns the task's name."""
        return str(self._record["task"])

    @property
    def data(self) -> dict[str, Any]:
        """Returns the notes of the training on its data: name, fingerprint and more."""
        return dict(self._record["data"])

    @property
    def train_seconds(self) -> float | None:
        """Returns the wall time of the training, None until it has ended."""
        return self._record.get("train_seconds")

    def finish_training(self, seconds: float) -> None:
        """Marks the run as trained, after model.keras is written. The first call counts."""
        if self.train_seconds is None:
            self._record["train_seconds"] = round(seconds, 1)
            files.write_json(self.config_file, self._record)

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Writes metrics.json, which makes the run a finished one: call it last.

        `metrics` needs "primary", "test", "baselines" and "data" (with "examples" and "split");
        task, preset, seed, commit, train_seconds and the data's name and fingerprint are added.
        Raises errors.UserError for a number that is not finite: the training diverged.
        """
        known = {
            "task": self.task,
            "preset": self._record["preset"],
            "seed": getattr(self.config, "seed", None),
            "commit": self._record["commit"],
            "train_seconds": self.train_seconds,
        }
        data = {name: self._record["data"].get(name) for name in ("name", "fingerprint")}
        whole = {**known, **metrics, "data": {**data, **metrics.get("data", {})}}
        files.write_json(self.metrics_file, whole)

    def read_metrics(self) -> dict[str, Any]:
        """Reads the file of `write_metrics`; errors.UserError if it is damaged or missing."""
        return files.read_json(self.metrics_file)

    def close(self) -> None:
        """Lets another process write to the folder; harmless when called twice."""
        if self._lock is not None:
            self._lock.release()
        if self._scratch is not None:
            self._scratch.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Where the run itself is at fault, as with a damaged checkpoint, repeating it leads nowhere
        if kind is not None and issubclass(kind, errors.UserError) and self._lock is not None:
            _forget_replacing(self.path)
        self.close()


class Data(Protocol):
    """The part of a task's loaded data that every run notes."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def source(self) -> str: ...


def noted(data: Data, **further: Any) -> dict[str, Any]:
    """Returns what `start` notes on the data, with what the task adds."""
    return {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "licence": data.licence,
        "source": data.source,
        **further,
    }


def refuse_finished(path: Path, task: str, overwrite: bool = False) -> None:
    """Raises what `start` would raise on account of the folder alone; writes nothing.

    That is errors.UserError for a path that is a file, a folder that is not ours or another
    task's, and, unless `overwrite`, a finished run. To be called before data is loaded.
    """
    record = run_record.existing(path, task)
    if record is not None and not overwrite and run_record.is_finished(path, record):
        raise errors.UserError(
            f"{path} holds a finished run; choose another --run, or replace it with --overwrite"
        )


def is_complete(path: Path, task: str, config: Any) -> bool:
    """Returns whether the folder holds a finished run, and says so: there is nothing to train.

    Raises errors.UserError for a run of another task, of another preset or of other data than the
    config's: what was made of it would be shown under the wrong name.
    """
    record = run_record.existing(path, task)
    if record is None or not run_record.is_finished(path, record):
        return False
    for name in ("preset", "data"):
        held, wanted = record["config"].get(name), getattr(config, name)
        if held != wanted:
            raise errors.UserError(
                f"{path} holds a finished run with {name} {held!r}, not {wanted!r}; "
                "choose another folder"
            )
    print(f"{path} holds a finished run: not trained again")
    return True


def start(
    path: Path, task: str, config: Config, data: Mapping[str, Any], overwrite: bool = False
) -> RunFolder[Config]:
    """Creates the folder for a run, or reopens an interrupted one, and keeps other writers out.

    `data` has at least "name" and "fingerprint". Raises errors.UserError as `refuse_finished`
    does, when another training writes to the folder, and when the run was begun with another
    config or other data, naming the first field that differs with both values.

    With `overwrite`, what the folder holds is replaced, finished or not, but for an unfinished run
    that `overwrite` began with the same config and data: that one was interrupted, and is reopened.

    Of several workers that train together the chief alone writes to the folder: the others get
    one whose files are in a folder of their own that goes when it is closed, all but
    `checkpoints`, the chief's, to be read. Raises errors.UserError on a worker whose config or
    data are not the chief's, or that doesn't see the chief's folder.
    """
    check = checking()
    if check is not None:
        check.data, check.begun = str(data["name"]), time.monotonic()
        process.raise_after(_CHECK_SECONDS, Checked(check.data))
        return _in_scratch(config, run_record.new(task, config, data))
    path = Path(path)
    started: list[RunFolder[Config]] = []

    def start_and_tell() -> dict[str, Any]:
        started.append(_start(path, task, config, data, overwrite))
        return started[0]._record

    record = distribution.from_chief(start_and_tell)
    return started[0] if started else _of_a_follower(path, config, data, record)


def _start(
    path: Path, task: str, config: Config, data: Mapping[str, Any], overwrite: bool
) -> RunFolder[Config]:
    refuse_finished(path, task, overwrite)
    files.make_folder(path)
    lock = files.WriterLock(path)
    try:
        refuse_finished(path, task, overwrite)  # again: now nobody else can change it
        if overwrite and not _was_replacing(path, task, config, data):
            _clear(path)
        files.remove_partial(path)
        record = run_record.existing(path, task)
        if record is None:
            record = run_record.new(task, config, data)
            if overwrite:
                record[_REPLACES] = True
            files.write_json(path / "config.json", record)
        else:
            run_record.refuse_other(path, record, config, data)
        folder = RunFolder(path, config, record, lock)
        for needed in (folder.checkpoints, folder.tensorboard, folder.plots):
            files.make_folder(needed)
    except BaseException:
        lock.release()
        raise
    return folder


def _of_a_follower(
    path: Path, config: Config, data: Mapping[str, Any], record: dict[str, Any]
) -> RunFolder[Config]:
    """Returns the folder of a worker that is not the chief; `record` is the chief's."""
    run_record.refuse_other(path, record, config, data)
    deadline = time.monotonic() + _SHARED_STORAGE_SECONDS
    while not (path / "config.json").is_file():
        if time.monotonic() > deadline:
            raise errors.UserError(
                f"{path}: {distribution.worker_name()} does not see the chief's files there; "
                "--run must be a folder on storage that all workers share"
            )
        time.sleep(0.5)
    folder = _in_scratch(config, record)
    folder.checkpoints = path / "checkpoints"
    return folder


def _in_scratch(config: Config, record: dict[str, Any]) -> RunFolder[Config]:
    """Returns a folder of its own, which goes when it is closed."""
    scratch = tempfile.TemporaryDirectory(prefix="lstm_tasks_")
    folder = RunFolder(Path(scratch.name), config, record, scratch=scratch)
    for needed in (folder.checkpoints, folder.tensorboard, folder.plots):
        files.make_folder(needed)
    return folder


def open_trained(path: Path, task: str, kind: type[Config]) -> RunFolder[Config]:
    """Opens a run for its evaluation: training has ended, metrics.json may be missing.

    `kind` is the task's config dataclass. Raises errors.UserError, saying what to do, for a folder
    that is missing, not ours, another task's, damaged, of another version, or not trained.
    """
    path = Path(path)
    train = f"python -m apps.{task}.train --run {path}"
    if not path.exists():
        raise errors.UserError(f"{path}: no such run folder; train one with: {train}")
    record = run_record.existing(path, task)
    if record is None:
        raise errors.UserError(f"{path} holds no run; train one with: {train}")
    try:
        config = config_fields.from_dict(kind, record["config"])
    except errors.UserError as error:
        raise errors.UserError(
            f"{path / 'config.json'}: {error}; another version of this project wrote it"
        ) from error
    folder = RunFolder(path, config, record)
    if folder.train_seconds is None:
        raise errors.UserError(
            f"{path} holds an unfinished run; the command that began it goes on with it"
        )
    if not folder.model_file.is_file():
        raise errors.UserError(
            f"{folder.model_file} is missing; train again with: {train} --overwrite"
        )
    return folder


def open_finished(path: Path, task: str, kind: type[Config]) -> RunFolder[Config]:
    """Opens a run that is trained and evaluated. Raises errors.UserError as `open_trained` does."""
    folder = open_trained(path, task, kind)
    if not folder.metrics_file.is_file():
        raise errors.UserError(
            f"{path} is not evaluated yet; run: python -m apps.{task}.evaluate --run {path}"
        )
    folder.read_metrics()
    return folder


def _was_replacing(path: Path, task: str, config: Any, data: Mapping[str, Any]) -> bool:
    """Returns True for an unfinished run of this config and data that `overwrite` began."""
    record = run_record.existing(path, task)
    if record is None or _REPLACES not in record or run_record.is_finished(path, record):
        return False
    try:
        run_record.refuse_other(path, record, config, data)
    except errors.UserError:
        return False
    return True


def _forget_replacing(path: Path) -> None:
    """Has the next `overwrite` replace this run even if it is unfinished."""
    file = path / "config.json"
    record = files.read_json(file) if file.is_file() else {}
    if record.pop(_REPLACES, False):
        files.write_json(file, record)


def _clear(path: Path) -> None:
    """Empties the folder; what marks a finished run goes first and what marks ours goes last."""
    _forget_replacing(path)  # or a run that is half gone would be taken for an interrupted one
    entries = [entry for entry in path.iterdir() if entry.name != files.LOCK_NAME]
    order = {"metrics.json": 0, "config.json": 2}
    for entry in sorted(entries, key=lambda entry: order.get(entry.name, 1)):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
