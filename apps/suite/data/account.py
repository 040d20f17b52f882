"""Formats what a training understood of its data, in a few lines."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath

_SHOWN = 3  # names of files
_SHOWN_LABELS = 12


def lines(rows: Iterable[tuple[str, str]]) -> str:
    """Returns a line for each heading and text, aligned; rows without a text are left out."""
    rows = [(heading, text) for heading, text in rows if text]
    width = max((len(heading) for heading, _ in rows), default=0)
    return "\n".join(f"{heading:<{width}}  {text}" for heading, text in rows)


def named(names: Sequence[str]) -> str:
    """Returns `5 files: a, b, c, …`; "" without names."""
    if not names:
        return ""
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{len(names):,} {'file' if len(names) == 1 else 'files'}: {shown}"


def left_out(folder: PurePath, names: Sequence[PurePath]) -> str:
    """Returns a note on files of a folder that are not read; "" without names."""
    told = named([str(name.relative_to(folder)) for name in names])
    return told and f"note: {folder}: not read: {told}"


def endings(paths: Iterable[PurePath | str]) -> str:
    """Returns `16 wav, 4 mp3`, the most frequent first; "" without paths."""
    found = Counter(PurePath(path).suffix.lower().removeprefix(".") or "other" for path in paths)
    ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} {ending}" for ending, count in ordered)


def labels(names: Sequence[str], of_examples: Iterable[str]) -> str:
    """Returns the labels with the number of their examples; of many labels the rarest ones.

    Args:
        names: of the labels, in order.
        of_examples: the label of each example.
    """
    counts = Counter(of_examples)
    if len(names) <= _SHOWN_LABELS:
        return f"{len(names)}: " + ", ".join(f"{name} {counts[name]:,}" for name in names)
    rarest = sorted(names, key=lambda name: (counts[name], name))[:_SHOWN]
    few = ", ".join(f"{name} {counts[name]:,}" for name in rarest)
    most = max(counts.values(), default=0)
    return f"{len(names)}, the rarest {few}; of the most frequent one {most:,}"


def spread(values: Iterable[float], unit: str) -> str:
    """Returns `0.50 to 2.00 s, median 1.00 s`, counts without decimals; "" without values."""
    ordered = sorted(values)
    if not ordered:
        return ""
    form = ",.0f" if all(value == int(value) for value in ordered) else ",.2f"
    least, middle, most = (
        f"{value:{form}}" for value in (ordered[0], ordered[len(ordered) // 2], ordered[-1])
    )
    if least == most:
        return f"{middle} {unit} each"
    return f"{least} to {most} {unit}, median {middle} {unit}"
