"""Builds a tab of the demo page that answers a sequence, pasted as csv or of a file, or a text."""

from __future__ import annotations

from collections.abc import Callable

from apps.suite.demo import asked_text
from apps.suite.export import asking

_NAMED = 6  # channels in the field while it is empty


def tab(
    model: asking.ExportedModel,
    show: Callable[[str], str],
    example: Callable[[], str],
    *,
    button: str,
    hint: str = "",
) -> None:
    """Adds the fields of a tab to the page that is being built; see `asked_text.tab`.

    Args:
        model: has the setting `channel_names`, without any where it reads texts.
        show, example, button: as there.
        hint: stands after the names of the columns.
    """
    channels = model.setting("channel_names")
    told = f"One row a step; columns: {', '.join(channels)}. Empty cells are missing."
    asked_text.tab(
        show,
        example,
        label="the csv itself" if channels else "A text",
        placeholder=f"{','.join(channels[:_NAMED])}\n…" if channels else "some words",
        button=button,
        hint=f"{told if channels else ''} {hint}".strip(),
        files=bool(channels),
    )
