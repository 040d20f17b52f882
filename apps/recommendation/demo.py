"""The demo page's tab for a model that recommends, as `apps.recommendation` exports it."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import gradio
import numpy as np

from apps.suite import errors
from apps.suite.demo import elements
from apps.suite.export.asking import ExportedModel

TITLE = "Recommendation"
EXPLAINED = "Pick what somebody has taken so far, in that order; the model fills a shelf for them."
MOST_SHOWN = 30
_OFFERED = 200  # of a list to choose from; a search brings the others
_SURPRISES = 3
_CAPTION = "The shelf: title, how likely beside the first one, score"


class Place(NamedTuple):
    """An item on the shelf."""

    name: str
    title: str
    score: float


class Catalogue:
    """All items of a model.

    Args:
        model: its assets name them, the most popular first.

    Raises:
        UserError: the export has no `assets/items.txt`.
    """

    def __init__(self, model: ExportedModel) -> None:
        listed = model.asset("items.txt")
        if listed is None:
            raise errors.UserError(f"{model.name}: assets/items.txt is missing; export again")
        self.names = listed.split("\n")[:-1]
        titles = json.loads(model.asset("titles.json") or "null") or self.names
        pairs = zip(self.names, titles, strict=True)
        self.title_of = {name: title or name for name, title in pairs}

    def label(self, name: str) -> str:
        """The title, and the name where that is another one."""
        title = self.title_of.get(name, name)
        return title if title == name else f"{title}  ·  {name}"

    def found(self, searched: str, kept: Sequence[str] = ()) -> list[tuple[str, str]]:
        """(label, name) of items with all the words of a search, the most popular first."""
        words = searched.casefold().split()
        hits = (
            name
            for name in self.names
            if all(word in self._searchable[name] for word in words) and name not in kept
        )
        chosen = [*kept, *(name for name, _ in zip(hits, range(_OFFERED), strict=False))]
        return [(self.label(name), name) for name in chosen]

    @functools.cached_property
    def _searchable(self) -> dict[str, str]:
        return {name: self.label(name).casefold() for name in self.names}


def tab(model: ExportedModel) -> None:
    """Puts the tab's fields into the page that is being built."""
    items = Catalogue(model)
    count = len(items.names)
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            search = gradio.Textbox(
                label=f"Search all {count:,} items", placeholder="words of a title, or a name",
                visible=count > _OFFERED,
            )  # fmt: skip
            history = gradio.Dropdown(
                items.found(""), value=[], multiselect=True, max_choices=200,
                label="Taken so far, the oldest first",
                info="What the search finds; the order counts" if count > _OFFERED
                else "Type to search; the order counts",
            )  # fmt: skip
            with gradio.Row():
                ask = gradio.Button("Fill the shelf", variant="primary", size="md")
                surprise = gradio.Button("Pick some for me", size="md")
            places = gradio.Slider(
                1, min(MOST_SHOWN, count), min(10, count), step=1, label="Places on the shelf"
            )
            exclude = gradio.Checkbox(
                True, label="Leave out what was taken already",
                info="Off: what is taken again and again may stand on the shelf, too",
            )  # fmt: skip
        with gradio.Column(scale=3, min_width=300):
            shelf = elements.place()

    @elements.answered
    def show(taken: list[str] | None, k: float, leave_out: bool) -> str:
        filled = recommend(model, items, taken or [], int(k), leave_out)
        return page(filled, bool(taken))

    asked = [history, places, exclude]
    ask.click(show, asked, shelf, **elements.ANSWER)
    for changed in (history, exclude):
        changed.input(show, asked, shelf, **elements.ANSWER)
    places.release(show, asked, shelf, **elements.ANSWER)
    search.change(
        lambda words, taken: gradio.Dropdown(choices=items.found(words or "", taken or [])),
        [search, history], history, **elements.ANSWER,
    )  # fmt: skip

    def pick() -> Any:
        some = np.random.default_rng().choice(items.names[:_OFFERED], min(_SURPRISES, count), False)
        taken = some.tolist()
        return gradio.Dropdown(choices=items.found("", taken), value=taken)

    surprise.click(pick, None, history, **elements.ANSWER).then(
        show, asked, shelf, **elements.ANSWER
    )


def recommend(
    model: ExportedModel, items: Catalogue, taken: Sequence[str], k: int, leave_out: bool
) -> list[Place]:
    """The best items after a history, at most k of them.

    Raises:
        UserError: an item that is none of the model's, or what the model refuses.
    """
    unknown = [name for name in taken if name not in items.title_of]
    if unknown:
        raise errors.UserError(f"{', '.join(unknown)}: no item of this model; pick from the list.")
    answer = model.ask(
        history=np.array([[name.encode() for name in taken]], object).reshape(1, len(taken)),
        k=k,
        exclude_seen=leave_out,
    )
    names = [name.decode() for name in answer["items"][0]]
    scores = answer["scores"][0].tolist()
    return [
        Place(name, items.title_of.get(name, name), score)
        for name, score in zip(names, scores, strict=True)
        if name
    ]


def page(filled: Sequence[Place], has_history: bool) -> str:
    """The shelf as a list; bars show how likely an item is beside the first one."""
    if not filled:
        return elements.note("Nothing is left for the shelf.")
    told = (
        "" if has_history else elements.note("Nothing was taken yet: these are the most popular.")
    )
    rows = []
    for place in filled:
        share = math.exp(min(0.0, place.score - filled[0].score))  # scores are logarithms
        name = f"<small>{escape(place.name)}</small>" if place.name != place.title else ""
        rows.append(
            f"<li><span>{escape(place.title)}{name}</span>"
            f'<span class="track"><span style="width:{100 * share:.1f}%"></span></span>'
            f"<span>{place.score:.2f}</span></li>"
        )
    return (
        f'{told}<figure class="shelf"><figcaption>{_CAPTION}</figcaption>'
        f"<ol>{''.join(rows)}</ol></figure>"
    )
