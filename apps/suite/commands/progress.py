"""Shows that long work goes on: a line that is rewritten on a terminal, plain lines in a pipe.

Work that ends within ten seconds prints nothing. What a command does not tell of in this way is
told by `never_silent`, around the whole of it.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

QUIET_SECONDS = 10.0
"""Silence after which a line is printed into a pipe."""
_REDRAWN_SECONDS = 1.0  # between two states of the line on a terminal
_LATER_SECONDS = (
    0.5  # after which `never_silent` speaks, so that work that tells of itself is first
)
_LONGEST_LINE = 70
_ERASE_LINE = "\r\x1b[2K"

Item = TypeVar("Item")


@contextlib.contextmanager
def working(title: str) -> Iterator[None]:
    """Says from time to time that the work of the block goes on.

    Args:
        title: the work, in words.
    """
    began = time.monotonic()
    with _telling(lambda: f"{title}: {time.monotonic() - began:.0f} s so far"):
        yield


def watched(items: Iterable[Item], title: str, total: int) -> Iterator[Item]:
    """Yields the same items, and says from time to time how many of them are done.

    Args:
        items: an item is done when the next one is asked for.
        title: the work, in words.
        total: number of items.
    """
    began, done = time.monotonic(), 0

    def line() -> str:
        seconds = time.monotonic() - began
        if not done:
            return f"{title}: {seconds:.0f} s so far"
        left = seconds / done * max(0, total - done)
        return f"{title}: {done / max(1, total):.0%}  {left:.0f} s left"

    with _telling(line):
        for item in items:
            yield item
            done += 1


@contextlib.contextmanager
def _telling(line: Callable[[], str]) -> Iterator[None]:
    """Prints `line()` again and again, from a thread, until the block ends."""
    ended = threading.Event()
    on_terminal = sys.stdout.isatty()
    pause = _REDRAWN_SECONDS if on_terminal else QUIET_SECONDS

    def tell() -> None:
        while not ended.wait(pause):
            if on_terminal:
                print(f"\r\x1b[2K{line()}", end="", flush=True)
            else:
                print(line(), flush=True)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
        if on_terminal:
            print("\r\x1b[2K", end="", flush=True)


@contextlib.contextmanager
def never_silent() -> Iterator[None]:
    """Prints a line whenever nothing was printed for ten seconds, with the last line before."""
    with _noted(lambda stream: stream.break_silence(QUIET_SECONDS + _LATER_SECONDS)):
        yield


@contextlib.contextmanager
def never_silent_at_first() -> Iterator[None]:
    """Prints a line on stderr after each ten silent seconds until the block prints its first line.

    For a command whose output others read: `… | jq`. Where stderr is not a terminal, nobody waits.
    """
    if not sys.stderr.isatty():
        yield
        return
    began = told = time.monotonic()

    def tell(stream: _Noting) -> None:
        nonlocal told
        now = time.monotonic()
        if not stream.has_spoken and now - told > QUIET_SECONDS:
            print(f"still working, {now - began:.0f} s after the start", file=sys.stderr)
            told = now

    with _noted(tell):
        yield


@contextlib.contextmanager
def _noted(tell: Callable[[_Noting], None]) -> Iterator[None]:
    """Notes what the block prints, and calls `tell` again and again, from a thread."""
    stream, ended = _Noting(sys.stdout), threading.Event()

    def watch() -> None:
        while not ended.wait(min(_LATER_SECONDS, QUIET_SECONDS)):
            tell(stream)

    teller = threading.Thread(target=watch, daemon=True)
    teller.start()
    before, sys.stdout = sys.stdout, stream
    try:
        yield
    finally:
        ended.set()
        teller.join()
        stream.erase()
        if sys.stdout is stream:
            sys.stdout = before


class _Noting:
    """A stream that notes when it was written to last, and its last line."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._written = self._told = time.monotonic()
        self._line = self._begun = ""
        self._shown = False
        self.has_spoken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes as the stream does, and returns the number of characters."""
        self.erase()
        with self._lock:
            self._written = self._told = time.monotonic()
            self.has_spoken = True
            *lines, begun = (self._begun + text).split("\n")
            self._begun = begun.rpartition("\r")[2]  # of a line that is rewritten its last state
            self._line = next((line for line in reversed(lines) if line.strip()), self._line)
            self._stream.write(text)
        return len(text)  # a stream that takes the place of another's need not say it (Ray's)

    def break_silence(self, seconds: float) -> None:
        """Prints how long ago the last line was, unless something was printed since."""
        now, on_terminal = time.monotonic(), self._stream.isatty()
        with self._lock:
            pause = _REDRAWN_SECONDS if on_terminal and self._shown else seconds
            if now - self._told < pause:
                return
            line = self._line.rpartition(_ERASE_LINE[1:])[2].strip()
            short = line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"
            last = f"“{short}”" if line else "the start"
            told = f"still working, {now - self._written:.0f} s after {last}"
            with contextlib.suppress(OSError):  # a reader who has gone is told of by the next print
                self._stream.write(f"{_ERASE_LINE}{told}" if on_terminal else f"{told}\n")
                self._stream.flush()
            self._told, self._shown = now, on_terminal

    def erase(self) -> None:
        """Removes the line from a terminal."""
        with self._lock:
            if self._shown:
                self._stream.write(_ERASE_LINE)
                self._shown = False
