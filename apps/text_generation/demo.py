"""The demo page's tab for a model that continues texts, as `apps.text_generation` exports them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from html import escape
from typing import Any

import gradio
import numpy as np

from apps.suite import errors
from apps.suite.demo import elements
from apps.suite.export.asking import ExportedModel

TITLE = "Text"
EXPLAINED = "Write how a text begins; the model goes on in the manner of what it has read."
LONGEST, LONGEST_PROMPT = 1_000, 2_000
_FIRST_PIECES, _GROWTH = 12, 1.35  # of the text that is shown first, and by which it grows
_BYTE = "<0x"  # how a vocabulary of bytes writes them
_ESCAPES = (("\\t", "\t"), ("\\r", "\r"), ("\\n", "\n"), ("\\x5c", "\\"))


def tab(model: ExportedModel) -> None:
    """Puts the tab's fields into the page that is being built."""
    unit = _unit(model)
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            prompt = gradio.Textbox(
                label="Prompt", lines=3, max_lines=10, max_length=LONGEST_PROMPT, autofocus=True,
                placeholder="How does the text begin?",
            )  # fmt: skip
            advised = elements.place()
            with gradio.Row():
                write = gradio.Button("Write", variant="primary", min_width=70, size="md")
                stop = gradio.Button("Stop", variant="stop", min_width=70, size="md")
                suggest = gradio.Button("Suggest a prompt", min_width=150, size="md")
            length = gradio.Slider(20, LONGEST, 300, step=10, label=f"Length ({unit})")
            temperature = gradio.Slider(
                0, 1.5, 0.7, step=0.05, label="Temperature",
                info="0 always takes the likeliest; higher ones dare more",
            )  # fmt: skip
            seed = gradio.Number(
                0, label="Seed", precision=0, minimum=0, maximum=2**31 - 1,
                info="Another number, another text; the same number, the same text",
            )  # fmt: skip
        with gradio.Column(scale=3, min_width=300):
            text = elements.place(page("", ""))

    @elements.streamed
    def show(
        given: str | None, pieces: float, warmth: float, number: float | None
    ) -> Iterator[str]:
        for continuation in continued(model, given, pieces, warmth, number):
            yield page(given or "", continuation)

    asked = [prompt, length, temperature, seed]
    going: list[Any] = [
        event(show, asked, text, **elements.BIT_BY_BIT) for event in (write.click, prompt.submit)
    ]
    stop.click(None, cancels=going, api_visibility="private")
    prompt.change(
        elements.answered(lambda given: advice(model, given)), prompt, advised,
        trigger_mode="always_last", show_progress="hidden", **elements.ANSWER,
    )  # fmt: skip
    suggest.click(
        elements.filled(lambda: beginning(model)), None, [prompt, advised], **elements.ANSWER
    )


def continued(
    model: ExportedModel, prompt: str | None, length: float, temperature: float, seed: float | None
) -> Iterator[str]:
    """The continuation of a prompt, ever more of it: the last one is the answer to one request.

    A longer continuation begins with the shorter one of the same seed, so that the page asks for
    more and more, each time by a third, rather than to wait for the whole.

    Raises:
        UserError: a number out of its range, a prompt that is too long, or what the model refuses.
    """
    for name, value, least, most in (
        ("length", length, 1, LONGEST),
        ("temperature", temperature, 0, 100),
        ("seed", seed, -(2**63), 2**63 - 1),
    ):
        if value is None or not least <= value <= most:
            told = f"The {name} has to be a number from {least:g} to {most:g}."
            raise errors.UserError(told)
    text = prompt or ""
    if len(text) > LONGEST_PROMPT:
        raise errors.UserError(
            f"The prompt has {len(text):,} characters; give {LONGEST_PROMPT:,} at most."
        )
    pieces = 0.0
    while pieces < length:
        pieces = min(length, max(pieces + _FIRST_PIECES, pieces * _GROWTH))
        answer = model.ask(
            prompt=np.array([text.encode()], object),
            length=round(pieces),
            temperature=temperature,
            top_k=0,
            top_p=1.0,
            seed=int(seed or 0),
        )
        yield answer["text"][0].decode(errors="replace")


def beginning(model: ExportedModel) -> str:
    """Some words that the model itself would begin with."""
    seed = int(np.random.default_rng().integers(2**31))
    *_, text = continued(model, "", 60, 0.6, seed)
    words = text.split()
    return " ".join(itertools.islice(words, 3)) or text.strip()


def advice(model: ExportedModel, prompt: str | None) -> str:
    """What is good to know of a prompt before it is continued."""
    if not (prompt or "").strip():
        told = "The prompt is empty: the model begins a text of its own, as on a new line."
        return elements.note(told)
    known = {character for piece in _vocabulary(model) for character in piece}
    unknown = sorted(set(prompt or "") - known)
    if known and unknown:
        named = " ".join(unknown[:12])
        told = f"The model has never read {named} and takes it for an unknown character."
        return elements.note(told)
    return ""


def _vocabulary(model: ExportedModel) -> list[str]:
    """The pieces of `assets/vocabulary.txt` but the unknown; none where they are single bytes."""
    pieces = (model.asset("vocabulary.txt") or "").split("\n")[1:-1]
    if pieces and pieces[0].startswith(_BYTE):
        return []
    for written, character in _ESCAPES:
        pieces = [piece.replace(written, character) for piece in pieces]
    return pieces


def _unit(model: ExportedModel) -> str:
    """What the model writes one after the other."""
    pieces = _vocabulary(model)
    if not pieces:
        return "bytes"
    return "characters" if all(len(piece) == 1 for piece in pieces) else "pieces of words"


def page(prompt: str, continuation: str) -> str:
    """A prompt and what follows it, told apart by their looks."""
    written = f"<b>{escape(prompt)}</b>{escape(continuation)}"
    empty = '<span class="faint">The text appears here.</span>'
    content = written if prompt + continuation else empty
    return f'<div class="written" aria-live="polite">{content}</div>'
