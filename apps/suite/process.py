"""Prepares a process for TensorFlow: a quiet terminal, cores, memory, fast precision."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType, ModuleType

_CPU_INFO = Path("/proc/cpuinfo")
_AGAIN_SECONDS = 0.01  # an object's finalizer ends in less
# TensorFlow Lite's converter and Keras's wrappers import them where they are installed: two fifths
# of the time that TensorFlow takes to start.
_NOT_NEEDED = ("jax", "sklearn")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGEST_KEPT = 2**30  # bytes
_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def resolve_precision(name: str, cpu_info: Path = _CPU_INFO) -> str:
    """Returns the Keras dtype policy for a config's `precision`.

    "auto" is "mixed_bfloat16" on a CPU with instructions for products of bfloat16, which take half
    the time, and "float32" on any other CPU, which would emulate them. Other names stay.
    """
    if name != "auto":
        return name
    try:
        lines = cpu_info.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return "float32"
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return "mixed_bfloat16" if _BFLOAT16_FLAGS & set(flags) else "float32"


def quiet_tensorflow() -> None:
    """Keeps the notes of TensorFlow's C++ part out of the terminal when it is imported later.

    Only an error that ends the process is printed: C++ files notices about the processor under
    errors ("oneDNN supports DT_BOOL only on platforms with AVX-512"), and every error that concerns
    the user arrives as a Python exception too. Warnings of its Python part, such as of graphs that
    are traced anew for another shape, concern nobody who runs a command; they are left out as well.
    `TF_CPP_MIN_LOG_LEVEL=0` shows all notes.

    JAX and scikit-learn, which neither TensorFlow nor Keras needs here, are not imported with them.

    Imports nothing itself, so that a command can still answer `--help` or refuse its arguments at
    once. If the import fails, the text that was held back is printed. Environment variables that
    the user has set stay.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] >= "2":  # errors alone
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if "tensorflow" not in sys.modules and not any(
        isinstance(finder, _QuietFinder) for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, _QuietFinder())


def divide_cores(parts: int) -> None:
    """Gives each of `parts` independent parts of a graph cores of its own.

    By default TensorFlow runs each operation on all cores; small operations then wait more than
    they work. Changes nothing where TensorFlow already runs, as in a notebook.
    """
    import tensorflow as tf  # takes seconds, and not every command needs it

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores() // parts))
        tf.config.threading.set_inter_op_parallelism_threads(max(parts, 2))


def keep_memory() -> None:
    """Keeps large arrays' memory for the next step, where the C library is glibc.

    By default glibc gives a large block back to the system when it is freed, and the next step gets
    its arrays anew, page by page: a tenth of a training's time where it scores ten thousand items.
    `MALLOC_` variables that the user has set stay as they are.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):  # others have no mallopt, or an idle one
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        library.mallopt(_M_TRIM_THRESHOLD, _LARGEST_KEPT)


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Silences Python loggers below ERROR."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def raise_after(seconds: float, error: BaseException | None = None) -> None:
    """Raises the error in the main thread after some seconds, unless called again before.

    0 seconds raise nothing any more. Another thread, and a system without such timers, goes on.
    Python drops what is raised while an object is finalized, so the error waits for its end. It
    drops it, too, in a callback of the garbage collector or of a weak reference, which no frame
    tells of: then the error is raised anew.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if not hasattr(signal, "setitimer"):  # Windows
        return

    def leave(_: int, frame: FrameType | None) -> None:
        assert error is not None
        while frame is not None:
            if frame.f_code.co_name == "__del__":
                signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
                return
            frame = frame.f_back
        raise error

    if isinstance(sys.unraisablehook, _RaisedAnew):
        sys.unraisablehook = sys.unraisablehook.before
    if error is not None:
        signal.signal(signal.SIGALRM, leave)
        sys.unraisablehook = _RaisedAnew(error, sys.unraisablehook)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def cores() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclasses.dataclass(frozen=True)
class _RaisedAnew:
    """Is told of exceptions that Python drops: sets the timer again where it is the timer's."""

    error: BaseException
    before: Callable[[sys.UnraisableHookArgs], object]

    def __call__(self, dropped: sys.UnraisableHookArgs, /) -> None:
        if dropped.exc_value is self.error:
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            self.before(dropped)


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds Keras and TensorFlow once each, to be loaded by `_QuietLoader`."""

    def __init__(self) -> None:
        self._wanted = {"keras", "tensorflow"} - set(sys.modules)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._wanted:
            return None
        self._wanted.remove(fullname)
        if not self._wanted:
            sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.origin is not None:
            spec.loader = _QuietLoader(fullname, spec.origin)
        return spec


class _QuietLoader(importlib.machinery.SourceFileLoader):
    """Runs the module with the process's stderr set aside, and without what it does not need.

    The notes come from C++ before its log level is read, so no variable turns them off. Devices
    are listed here so that CUDA's complaint about a machine without a GPU is dropped, too.
    """

    def exec_module(self, module: ModuleType) -> None:
        with stderr_set_aside(), _as_if_missing(_NOT_NEEDED):
            super().exec_module(module)
            if module.__name__ == "tensorflow":
                module.config.list_physical_devices()


@contextlib.contextmanager
def _as_if_missing(names: Sequence[str]) -> Iterator[None]:
    """Lets imports of the block do without these packages; those that are loaded stay."""
    needed = {*sys.modules, os.environ.get("KERAS_BACKEND")}
    hidden = [name for name in names if name not in needed]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: "not found"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def stderr_set_aside() -> Iterator[None]:
    """Sends file descriptor 2 to a temporary file; an exception brings its text back."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as aside:
        terminal = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(terminal, aside.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
