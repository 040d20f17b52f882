"""Builds blocks of a report on answers that are labels: groups, and the surest answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from apps.suite.evaluation import classification, report


def by_group(
    groups: Sequence[classification.GroupScore], unit: str, kind: str = "group", most: int = 12
) -> report.Table:
    """Returns a table of the accuracy of the groups that were answered worst.

    Args:
        groups: of `classification.by_group`, the worst first.
        unit: what was answered, in the plural.
        kind: what a group is, such as "speaker".
        most: rows of the table.
    """
    shown = groups[:most]
    caption = f"Test {unit} by {kind}, the worst first"
    if len(groups) > len(shown):
        caption += f": {len(shown)} of {len(groups)}"
    rows = [[each.group, f"{each.examples:,}", f"{100 * each.accuracy:.1f} %"] for each in shown]
    return report.Table(f"{caption}.", [kind, unit, "accuracy"], rows)


def surest(labels: np.ndarray, probabilities: np.ndarray) -> tuple[list[int], list[int]]:
    """Returns the numbers of wrong and of right answers, the surest first.

    Args:
        labels, probabilities: as in `classification.scores`.
    """
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    right = (probabilities.argmax(axis=1) == labels)[order]
    return order[~right].tolist(), order[right].tolist()


def sections(
    wrong: Sequence[int],
    right: Sequence[int],
    blocks: Callable[[str, int], Sequence[report.Block]],
) -> list[report.Section]:
    """Returns the section of failures and that of successes.

    Args:
        wrong, right: numbers of the examples that are shown.
        blocks: returns the blocks of an example, given a name for its pictures (`wrong_1`, …) and
            its number.
    """
    found = []
    for title, kind, chosen in (
        ("What went wrong: the surest of the wrong answers", "wrong", wrong),
        ("What went right: sure answers", "right", right),
    ):
        shown = [
            block for place, at in enumerate(chosen, 1) for block in blocks(f"{kind}_{place}", at)
        ]
        found.append(report.Section(title, shown or [report.Paragraph("There is none.")]))
    return found


def told(name: str, label_names: Sequence[str], label: int, probabilities: np.ndarray) -> str:
    """Says of an example what it is, and what it was taken for how surely.

    Args:
        name: of the example.
        label_names: of all labels.
        label: number of the right one.
        probabilities: float [labels].
    """
    answer = int(probabilities.argmax())
    sure = f"{100 * probabilities[answer]:.0f} %"
    if answer == label:
        return f"{name}: “{label_names[label]}”, {sure} sure."
    return (
        f"{name}: “{label_names[label]}”, taken for “{label_names[answer]}”, {sure} sure; the "
        f"right label had {100 * probabilities[label]:.1f} %."
    )
