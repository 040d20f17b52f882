"""Shows that long work goes on: a line that is rewritten on a terminal, plain lines in a pipe.

Work that ends within ten seconds prints nothing.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

QUIET_SECONDS = 10.0
"""Silence after which a line is printed into a pipe."""
_REDRAWN_SECONDS = 1.0  # between two states of the line on a terminal

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
