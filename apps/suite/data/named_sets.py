"""Prepares data sets by name: the builders in `datasets/`, and the TFDS catalogue."""

import contextlib
import difflib
import importlib.util
import io
import logging
import os
import sys
from pathlib import Path
from typing import Any

from apps.suite import errors

FOLDER = Path(__file__).parents[3] / "datasets"
_DOWNLOAD_RETRIES = 5  # about 6 seconds; TFDS's own 10 are three and a half minutes offline


def own_path(name: str) -> Path | None:
    """Returns the path of a user's own data, None for the name of a set.

    Raises UserError for a name that looks like a path where there is nothing.
    """
    path = Path(name).expanduser()
    if path.exists():
        return path
    # Endings begin with a letter, versions (name:1.0.0) do not
    if path.suffix[1:2].isalpha() or name.startswith((".", "/", "~")):
        raise errors.UserError(f"{name}: no such file or folder")
    return None


def is_embedded(name: str) -> bool:
    """Returns whether a name is that of a set whose builder is one of `datasets/`."""
    return _bare(name) in _own()


def load(name: str, split: str) -> Any:
    """Returns the examples of a split as a `tf.data.Dataset`, in stored order."""
    return prepare(name).as_dataset(split=split, shuffle_files=False)


def prepare(name: str) -> Any:
    """Returns the builder of a set, after preparing the set on disk if necessary.

    The data lie where TFDS keeps them: `TFDS_DATA_DIR`, or `~/tensorflow_datasets`.

    Args:
        name: as in `tfds.builder`: `name`, `name/config` or `name:version`.

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        UserError: no such set, or it cannot be downloaded or prepared.
    """
    import requests
    import tensorflow_datasets as tfds  # takes seconds, and own data never needs it

    logging.getLogger("absl").addFilter(_is_for_users)
    bare, own = _bare(name), is_embedded(name)
    if own:
        _register(bare)
    builder = _builder(tfds, name, bare)
    if builder.data_path.exists():
        return builder
    try:
        with _silence(tfds) if own else contextlib.nullcontext():
            _download_and_prepare(builder)
    except FileExistsError:
        pass  # another process has prepared the same set meanwhile
    except requests.exceptions.RequestException as error:
        url = getattr(error.request, "url", "its source")
        raise errors.UserError(
            f"{name}: cannot be downloaded from {url}; "
            "check the network, or give the path of your own data"
        ) from error
    except Exception as error:  # each builder has its own ways to fail
        raise errors.UserError(
            f"{name}: cannot be prepared in {builder.data_path}: {_first_line(error)}"
        ) from error
    return _builder(tfds, name, bare)


def prepare_with(name: str, *wanted: str) -> Any:
    """Returns the builder of a set, prepared, that has these features; UserError for another."""
    builder = prepare(name)
    lacking = [feature for feature in wanted if feature not in builder.info.features]
    if lacking:
        raise errors.UserError(
            f"{name}: has no {' and no '.join(lacking)} feature; it cannot be learned by this task"
        )
    return builder


def _builder(tfds: Any, name: str, bare: str) -> Any:
    try:
        # TFDS itself reads the variable only once, when it is imported.
        return tfds.builder(name, data_dir=os.environ.get("TFDS_DATA_DIR"))
    except tfds.core.DatasetNotFoundError:
        near = ", ".join(difflib.get_close_matches(bare, {*_own(), *tfds.list_builders()}))
        advice = f"did you mean {near}?" if near else "give the path of your own data"
        raise errors.UserError(f"{name}: no such path and no such data set; {advice}") from None
    except (ValueError, AssertionError) as error:  # an unknown config, version or form of a name
        raise errors.UserError(f"{name}: {_first_line(error)}") from None


def _download_and_prepare(builder: Any) -> None:
    from tensorflow_datasets.core.download import downloader

    downloader.MAX_RETRIES = _DOWNLOAD_RETRIES
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # a line for each retry otherwise
    builder.download_and_prepare()


def _is_for_users(record: logging.LogRecord) -> bool:
    """Returns False for what TFDS warns itself of, as it decodes tensors and videos."""
    return "FeatureConnector.dtype` is deprecated" not in record.getMessage()


@contextlib.contextmanager
def _silence(tfds: Any) -> Any:
    """Drops the bars and the `Unknown size` that TFDS prints even without a download."""
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.enable_progress_bar()


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:300] or type(error).__name__


def _bare(name: str) -> str:
    return name.partition("/")[0].partition(":")[0]


def _own() -> set[str]:
    return {file.parent.name for file in FOLDER.glob("*/*_dataset_builder.py")}


def _register(name: str) -> None:
    """Imports the builder's file, which registers its class with TFDS."""
    module_name = f"{name}_dataset_builder"
    if module_name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(module_name, FOLDER / name / f"{module_name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    # Otherwise TFDS looks for README.md and its like in a package of the module's name.
    module.Builder.pkg_dir_path = FOLDER / name
