"""Chooses and writes the likeliest labels of an answer, as `predict` commands show them."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence

if typing.TYPE_CHECKING:
    import numpy as np


def likeliest(likely: np.ndarray, names: Sequence[str], top: int) -> dict[str, float]:
    """Returns the `top` likeliest labels with their probabilities, the likeliest first.

    Args:
        likely: probabilities, float [labels].
        names: of the labels.
        top: how many.
    """
    return {names[at]: float(likely[at]) for at in (-likely).argsort(kind="stable")[:top]}


def told(name: str, labels: Mapping[str, float]) -> str:
    """Returns a line with the likeliest label of an input, and the others in brackets."""
    (label, sure), *others = labels.items()
    rest = ", ".join(f"{other} {share:.2f}" for other, share in others)
    return f"{name}  {label} {sure:.2f}" + (f"  ({rest})" if rest else "")


def fields(name: str, labels: Mapping[str, float]) -> dict[str, typing.Any]:
    """Returns the same as fields of a JSON object: input, label and probabilities."""
    shares = {label: round(share, 4) for label, share in labels.items()}
    return {"input": name, "label": next(iter(shares)), "probabilities": shares}
