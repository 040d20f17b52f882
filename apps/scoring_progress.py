"""How far a scoring job is, told while it runs."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from apps import shard_files

_LOOK_SECONDS = 1.0
_TELL_SECONDS = 30.0  # between two lines where there is no terminal, which has a live one
_ERASE_LINE = "\r\x1b[2K"


@contextlib.contextmanager
def told(folder: Path, shards: int) -> Iterator[None]:
    """Tells on standard error how many shards are whole, until the block ends."""
    ended, begin = threading.Event(), time.monotonic()
    first = shard_files.finished(folder)

    def tell() -> None:
        last = begin
        while not ended.wait(_LOOK_SECONDS):
            now, done = time.monotonic(), shard_files.finished(folder)
            line = f"{done:,} of {shards:,} shards"
            if done > first:
                left = (shards - done) * (now - begin) / (done - first)
                line += f", {_duration(left)} left"
            if sys.stderr.isatty():
                print(f"{_ERASE_LINE}{line}", end="", file=sys.stderr, flush=True)
            elif now - last >= _TELL_SECONDS:
                last = now
                print(line, file=sys.stderr, flush=True)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if sys.stderr.isatty():
            print(_ERASE_LINE, end="", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
