"""Prepares the process for TensorFlow before any test imports it; ends slow tests in time."""

import os
import time

import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

from apps.suite import process  # reads the environment

process.quiet_tensorflow()

_BEGUN = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--minutes",
        type=float,
        default=float("inf"),
        help="skip the slow tests whose turn comes later than so many minutes after the start",
    )


@pytest.hookimpl(tryfirst=True)  # before any fixture trains or exports
def pytest_runtest_setup(item: pytest.Item) -> None:
    minutes = item.config.getoption("minutes")
    if item.get_closest_marker("slow") and time.monotonic() - _BEGUN > 60 * minutes:
        pytest.skip(f"its turn came after the {minutes:g} minutes of --minutes")
