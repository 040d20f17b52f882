"""Describes the signatures of an export as a table that people read and tests check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

STATES = "*"
"""Stands for the states of a stream, whose names and number depend on the model."""


class Signature(NamedTuple):
    """Inputs and outputs of a signature.

    Attributes:
        inputs, outputs: type of each tensor by its name, such as "float32[b, time]"; a side that
            is named is free or fixed by the model, and "int32[…]" has any rank.
        optional: not every model of the task has this signature.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    optional: bool = False


ASSETS = Signature({"name": "string[b]"}, {"content": "string[b]"})
"""The signature by which clients read the text files of an export; "" for no such file."""


def parse(described: str) -> tuple[str, int | None]:
    """Returns dtype and rank of a described tensor; the rank is None where any fits."""
    found = re.fullmatch(r"(\w+)(?:\[(.*)\])?", described)
    if found is None:
        raise ValueError(f"{described!r} is not a type like float32[b, time]")
    dtype, sides = found.groups()
    if sides == "…":
        return dtype, None
    return dtype, len(sides.split(",")) if sides else 0
