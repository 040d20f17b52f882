"""The table of signatures is read as it is written."""

import pytest

from apps.suite.serving import signatures


@pytest.mark.parametrize(
    ("described", "parsed"),
    [
        ("float32[b, time]", ("float32", 2)),
        ("string[b]", ("string", 1)),
        ("int32[…]", ("int32", None)),
        ("bool", ("bool", 0)),
    ],
)
def test_a_described_tensor_has_a_dtype_and_a_rank(described, parsed):
    assert signatures.parse(described) == parsed


def test_what_is_not_a_type_is_refused():
    with pytest.raises(ValueError, match="float32"):
        signatures.parse("float32[b")
