"""`Admission`: how many requests are worked on at once, and how many may wait."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from apps.suite.serving.models import Refusal


class Admission:
    """Lets `at_once` requests through; further ones wait, and beyond `waiting` are refused.

    Args:
        at_once: requests that are worked on at the same time, at least 1.
        waiting: requests that may wait for that.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._places = threading.BoundedSemaphore(at_once)
        self._left = at_once + waiting
        self._counting = threading.Lock()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """A place; Refusal where all who may wait do so already."""
        with self._counting:
            if self._left == 0:
                raise Refusal("RESOURCE_EXHAUSTED", "too many requests wait already; ask later")
            self._left -= 1
        try:
            with self._places:
                yield
        finally:
            with self._counting:
                self._left += 1
