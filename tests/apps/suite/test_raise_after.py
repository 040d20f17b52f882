"""Tests of the error that ends a block after a time."""

import gc
import sys
import time
import weakref

import pytest

from apps.suite import process

_SECONDS = 30.0  # a test that waits so long has failed


class _Late(BaseException):
    """Is raised by the timer."""


def _wait() -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        time.sleep(0.01)


def _pause() -> None:
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        time.sleep(0.001)


def test_the_error_is_raised_where_the_program_is() -> None:
    process.raise_after(0.05, _Late())
    with pytest.raises(_Late):
        _wait()


def test_the_error_is_not_lost_in_the_finalizer_of_an_object() -> None:
    """Python would print it and go on, and a validation would not be left."""

    class _SlowEnd:
        def __del__(self) -> None:
            _pause()

    def _end_and_wait(things: list[_SlowEnd]) -> None:
        things.clear()
        _wait()

    things = [_SlowEnd()]
    process.raise_after(0.05, _Late())
    with pytest.raises(_Late):
        _end_and_wait(things)


def test_the_error_is_not_lost_in_a_callback_of_the_garbage_collector() -> None:
    """JAX has one; a check of a video folder went on to train its data instead of ending."""

    def slow(phase: str, _: object) -> None:
        if phase == "stop":
            _pause()

    def collect_and_wait() -> None:
        gc.collect()
        _wait()

    gc.callbacks.append(slow)
    try:
        process.raise_after(0.05, _Late())
        with pytest.raises(_Late):
            collect_and_wait()
    finally:
        gc.callbacks.remove(slow)
        process.raise_after(0)


def test_the_error_is_not_lost_in_the_callback_of_a_weak_reference() -> None:
    class _Thing:
        pass

    def end_and_wait(things: list[_Thing]) -> None:
        things.clear()
        _wait()

    things = [_Thing()]
    reference = weakref.ref(things[0], lambda _: _pause())
    process.raise_after(0.05, _Late())
    with pytest.raises(_Late):
        end_and_wait(things)
    process.raise_after(0)
    assert reference() is None


def test_other_errors_that_python_drops_are_told_of_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[object] = []

    class _Faulty:
        def __del__(self) -> None:
            raise ValueError("of another")

    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: told.append(dropped.exc_value))
    hook = sys.unraisablehook
    process.raise_after(_SECONDS, _Late())
    process.raise_after(_SECONDS, _Late())
    thing = _Faulty()
    del thing
    process.raise_after(0)
    assert [str(error) for error in told] == ["of another"]
    assert sys.unraisablehook is hook


def test_nothing_is_raised_after_the_timer_was_stopped() -> None:
    process.raise_after(0.05, _Late())
    process.raise_after(0)
    time.sleep(0.2)
