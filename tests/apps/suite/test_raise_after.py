"""Tests of the error that ends a block after a time."""

import time

import pytest

from apps.suite import process

_SECONDS = 30.0  # a test that waits so long has failed


class _Late(BaseException):
    """Is raised by the timer."""


def _wait() -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        time.sleep(0.01)


def test_the_error_is_raised_where_the_program_is() -> None:
    process.raise_after(0.05, _Late())
    with pytest.raises(_Late):
        _wait()


def test_the_error_is_not_lost_in_the_finalizer_of_an_object() -> None:
    """Python would print it and go on, and a validation would not be left."""

    class _SlowEnd:
        def __del__(self) -> None:
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                self._work()

        def _work(self) -> None:
            time.sleep(0.001)

    def _end_and_wait(things: list[_SlowEnd]) -> None:
        things.clear()
        _wait()

    things = [_SlowEnd()]
    process.raise_after(0.05, _Late())
    with pytest.raises(_Late):
        _end_and_wait(things)


def test_nothing_is_raised_after_the_timer_was_stopped() -> None:
    process.raise_after(0.05, _Late())
    process.raise_after(0)
    time.sleep(0.2)
