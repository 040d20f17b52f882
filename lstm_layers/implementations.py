"""The ways in which a layer can run its loop over time, and which one is taken when.

"graph"  a While loop of stock TensorFlow operations, with a backward loop derived by hand. Runs
         anywhere, exports anywhere, any shape, any precision.
"""

from __future__ import annotations

IMPLEMENTATIONS = ("auto", "graph")


def checked(implementation: str) -> str:
    """Returns its argument; ValueError where there is no such implementation."""
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(f"implementation must be one of {IMPLEMENTATIONS}, got {implementation!r}")
    return implementation


def choose(implementation, cell, inputs, mask, training, unroll) -> str:
    """The implementation that a call takes."""
    return "graph" if implementation == "auto" else implementation
