"""Renders notes, pictures, tables and bars of the demo page as escaped HTML."""

from __future__ import annotations

import base64
import functools
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

from apps.suite import errors
from apps.suite.evaluation import plot_style

_ENTRIES_SHOWN = 200  # of a table; a page with many thousand rows is slow to scroll


def answered(handler: Callable[..., str]) -> Callable[..., str]:
    """Makes a handler that returns HTML report errors as a note instead of failing."""

    @functools.wraps(handler)
    def told(*values: Any) -> str:
        try:
            return handler(*values)
        except Exception as error:
            return _said(error)

    return told


def filled(handler: Callable[..., Any]) -> Callable[..., tuple[Any, str]]:
    """Makes a handler that fills a field return a note, too: "", or the error and no value."""

    @functools.wraps(handler)
    def told(*values: Any) -> tuple[Any, str]:
        try:
            return handler(*values), ""
        except Exception as error:
            return None, _said(error)

    return told


def if_filled(handler: Callable[..., str]) -> Callable[..., str]:
    """Follows `filled`: returns the handler's HTML, or the note beside an empty field.

    A browser returns an empty text for a missing one.
    """
    return lambda value, said, *more: handler(value, *more) if value else said


def streamed(handler: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
    """Does the same as `answered` for a handler that yields HTML; the note stands above it."""

    @functools.wraps(handler)
    def told(*values: Any) -> Iterator[str]:
        latest = ""
        try:
            for latest in handler(*values):
                yield latest
        except Exception as error:
            yield _said(error) + latest

    return told


def _said(error: Exception) -> str:
    if isinstance(error, errors.UserError):
        return note(str(error), "wrong")
    # A mistake of ours: the page continues, and the terminal shows the traceback.
    traceback.print_exception(error, file=sys.stderr)
    return note(f"This did not work ({type(error).__name__}); the terminal says more.", "wrong")


def place(content: str = "") -> Any:
    """Adds a field to the page that shows HTML in the page's own style."""
    import gradio

    return gradio.HTML(content, apply_default_css=False, padding=False)


ANSWER: dict[str, Any] = {"api_visibility": "private", "queue": False}
"""Options of an event that is answered by one request; other programs cannot call it.

Gradio's queue is for answers that come bit by bit. In the browser it closes its stream after the
last event, and sometimes loses an event that arrives at that moment.
"""

BIT_BY_BIT: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": 4}
"""Options of an event whose handler yields its answer bit by bit."""


def note(text: str, kind: str = "hint") -> str:
    """Returns a line that a screen reader reads out, of kind "hint" or "wrong"."""
    role = "alert" if kind == "wrong" else "status"
    return f'<p class="note {kind}" role="{role}">{escape(text)}</p>'


def heading(text: str, below: str = "") -> str:
    """Returns an answer in large letters, with a line below it."""
    small = f"<span>{escape(below)}</span>" if below else ""
    return f'<div class="answer"><strong>{escape(text)}</strong>{small}</div>'


def bars(names: Sequence[str], shares: Sequence[float], title: str, most: int = 10) -> str:
    """Returns probabilities as labelled bars, the highest first."""
    order = sorted(range(len(names)), key=lambda at: -shares[at])
    rows = []
    for place, at in enumerate(order[:most]):
        percent = f"{100 * shares[at]:.1f} %"
        width = f"{max(0.0, min(1.0, shares[at])) * 100:.2f}%"
        first = " first" if place == 0 else ""
        rows.append(
            f'<li class="bar{first}"><span>{escape(names[at])}</span>'
            f'<span class="track"><span style="width:{width}"></span></span>'
            f"<span>{percent}</span></li>"
        )
    rest = len(names) - most
    left_out = f"<p>{rest} less likely ones are not shown.</p>" if rest > 0 else ""
    return f'<figure class="bars"><figcaption>{escape(title)}</figcaption>' + (
        f"<ol>{''.join(rows)}</ol>{left_out}</figure>"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str) -> str:
    """Returns a table with a caption; numbers are shown as given."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows[:_ENTRIES_SHOWN])
    rest = len(rows) - _ENTRIES_SHOWN
    left_out = f"<p>{rest:,} more are not shown.</p>" if rest > 0 else ""
    return (
        f'<div class="table"><table><caption>{escape(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{left_out}</div>"
    )


def _cell(value: object) -> str:
    text = str(value)
    figures = "" if any(map(str.isalpha, text)) else ' class="figures"'
    return f"<td{figures}>{escape(text)}</td>"


def preformatted(text: str, title: str) -> str:
    """Returns preformatted text, such as JSON."""
    return f'<figure class="json"><figcaption>{escape(title)}</figcaption>' + (
        f"<pre>{escape(text)}</pre></figure>"
    )


def picture(title: str, alternative: str, draw: plot_style.Draw, height_inches: float) -> str:
    """Returns a plot for light and for dark pages; `alternative` describes it in words."""
    shown = []
    for theme, kind in ((plot_style.LIGHT, "light"), (plot_style.DARK, "dark")):
        content = base64.b64encode(plot_style.png(theme, title, draw, height_inches)).decode()
        source = f"data:image/png;base64,{content}"
        shown.append(f'<img class="on-{kind}" src="{source}" alt="{escape(alternative)}">')
    return f'<figure class="plot">{"".join(shown)}</figure>'
