import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from apps.suite import process
{call}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def use():
    bytearray(b"x") * 2**26
use()
before = faults()
for _ in range(4):
    use()
print((faults() - before) * resource.getpagesize() / 2**26)
"""


def glibc():
    return "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ())


def times_fetched(call, **variables):
    """Returns how many times the 64 megabytes, used four times more, came from the system."""
    inherited = {name: value for name, value in os.environ.items() if "MALLOC_" not in name}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, **variables},
    )
    return float(ended.stdout)


@pytest.mark.skipif(not glibc(), reason="the C library is not glibc")
def test_a_large_block_that_is_freed_serves_the_next_one():
    assert times_fetched("") > 3
    assert times_fetched("process.keep_memory()") < 0.1


@pytest.mark.skipif(not glibc(), reason="the C library is not glibc")
def test_what_the_user_has_set_stays():
    assert times_fetched("process.keep_memory()", MALLOC_MMAP_THRESHOLD_="65536") > 3
