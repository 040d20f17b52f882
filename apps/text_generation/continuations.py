"""Continues passages of the test text, and measures how much of the result is copied.

How much of a text is a copy: runs of tokens that the training text holds word for word.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.suite.networks import sampling
from apps.suite.texts import tokenizer
from apps.text_generation import data, model


def longest_verbatim_runs(generated: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Returns, per token of int [tokens], the longest run from it on that is in `train`.

    All places advance together by one token a turn; those without a match drop out, so that the
    work soon shrinks from the size of the training text to that of the copied parts.
    """
    size = int(max(generated.max(initial=0), train.max(initial=0))) + 1
    lengths = np.zeros(len(generated), np.int64)
    wanted, offered = np.arange(len(generated)), np.arange(len(train))
    wanted_run, offered_run = np.zeros_like(wanted), np.zeros_like(offered)
    length = 0
    while len(wanted) and len(offered):
        keys = wanted_run * size + generated[wanted + length]
        runs, wanted_run = np.unique(keys, return_inverse=True)
        offered_keys = offered_run * size + train[offered + length]
        offered_run = np.minimum(np.searchsorted(runs, offered_keys), len(runs) - 1)
        matched = runs[offered_run] == offered_keys
        offered, offered_run = offered[matched], offered_run[matched]
        found = np.zeros(len(runs), bool)
        found[offered_run] = True
        wanted, wanted_run = wanted[found[wanted_run]], wanted_run[found[wanted_run]]
        length += 1
        lengths[wanted] = length
        inside, offered_inside = wanted + length < len(generated), offered + length < len(train)
        wanted, wanted_run = wanted[inside], wanted_run[inside]
        offered, offered_run = offered[offered_inside], offered_run[offered_inside]
    return lengths


def copied_fraction(lengths: np.ndarray, run_tokens: int) -> float:
    """Returns the share of tokens in a run of at least `run_tokens`; see `longest_verbatim_runs`.

    Texts repeat themselves: compare with the share of a part of the text that was held out.
    """
    if not len(lengths):
        return 0.0
    places = np.flatnonzero(lengths >= run_tokens)
    # +1 where a run begins and -1 where it ends: inside any run the sum so far is positive.
    change = np.zeros(len(lengths) + 1, np.int64)
    np.add.at(change, places, 1)
    np.add.at(change, places + lengths[places], -1)
    return float(np.mean(np.cumsum(change[:-1]) > 0))


TEMPERATURES = (0.5, 0.8, 1.0)
_PLACES = 4  # of the test text from which each temperature goes on
_PROMPT_CHARACTERS = 120
_LENGTH_CHARACTERS = 1000
_RUN_CHARACTERS = (30, 60)
_SEARCHED_CHARACTERS = 100_000  # of the test text, for a prompt to try first
_TRIED, _SHORT_CHARACTERS = 1000, 20
_WORD = r"[^\W\d_]+(?:['’][^\W\d_]+)*"
_WORDS = tuple(
    re.compile(rf"(?<!\S){_WORD}(?: {_WORD}){{{more}}}(?![^\s.,;:!?])") for more in (2, 1, 0)
)


class Continuation(NamedTuple):
    """Continuation of a prompt, drawn at a temperature, or with None that of the text itself."""

    temperature: float | None
    prompt: str
    text: str


class Copied(NamedTuple):
    """Share of the continuations of one kind that the training text holds word for word."""

    temperature: float | None  # None: of the test text itself
    longest_run_tokens: int
    fractions: dict[int, float]  # of the tokens, in runs of at least so many tokens


def sample_prompt(text: data.Text, known: Callable[[str], bool] = lambda prompt: True) -> str:
    """Returns a few words to try first: three of a line of the text, or fewer, or characters.

    Args:
        text: of the run.
        known: tells whether the vocabulary has all of a prompt.
    """
    if text.name == data.DEFAULT:
        return "In the beginning"
    part = text.test[:_SEARCHED_CHARACTERS]
    for words in _WORDS:
        # The first word may be half a word, where the test part begins.
        for match in itertools.islice(words.finditer(part, 1), _TRIED):
            if len(match[0]) <= _PROMPT_CHARACTERS and known(match[0]):
                return match[0]
    begun = text.test[:_SHORT_CHARACTERS].strip() or text.test[:_SHORT_CHARACTERS]
    return begun if known(begun) else text.train[:_SHORT_CHARACTERS]


def draw(
    streaming: keras.Model,
    tokenizer: tokenizer.Tokenizer,
    text: data.Text,
    train: np.ndarray,
    characters_per_token: float,
    seed: int,
) -> tuple[list[Continuation], list[Copied]]:
    """Goes on from places all over the test text, at each of `TEMPERATURES` and as it really does.

    Args:
        streaming: what `model.build_streaming` returns.
        tokenizer: of the model.
        text: whose test part is continued.
        train: tokens of the training part, in which copies are looked for.
        characters_per_token: on the average, to say lengths alike for every tokenizer.
        seed: of the drawing.

    Returns:
        The continuations of each place in turn, the real one last; and their copies, in the order
        of `TEMPERATURES`, the real ones last.
    """
    length = max(1, round(_LENGTH_CHARACTERS / characters_per_token))
    places = [_line_start(text.test, len(text.test) * at // _PLACES) for at in range(_PLACES)]
    prompts = [_prompt(text.test, place) for place in places]
    rows = [(prompt, temperature) for prompt in prompts for temperature in TEMPERATURES]
    generate = tf.function(sampling.generate, autograph=False)
    drawn = generate(
        streaming,
        tokenizer.graph_encode(tf.constant([prompt for prompt, _ in rows])),
        sampling.start_tokens(tokenizer),
        tf.constant(length),
        tf.constant([temperature for _, temperature in rows], tf.float32),
        tf.constant(0),
        tf.constant(1.0),
        tf.range(seed * len(rows), (seed + 1) * len(rows), dtype=tf.int64),
        step=model.step,
    )
    written = iter(drawn.numpy())
    continuations, tokens = [], []
    for place, prompt in zip(places, prompts, strict=True):
        for temperature in TEMPERATURES:
            tokens.append(np.asarray(next(written), np.int32))
            continuations.append(Continuation(temperature, prompt, tokenizer.decode(tokens[-1])))
        start = place + len(prompt)
        # The tokens of a text are at most its bytes: enough to be cut to the same length.
        real = tokenizer.encode(text.test[start : start + 4 * _LENGTH_CHARACTERS])[:length]
        tokens.append(real)
        continuations.append(Continuation(None, prompt, tokenizer.decode(real)))
    kinds = [continuation.temperature for continuation in continuations]
    return continuations, _copied(tokens, kinds, train, characters_per_token)


def _copied(
    tokens: list[np.ndarray],
    kinds: list[float | None],
    train: np.ndarray,
    characters_per_token: float,
) -> list[Copied]:
    # A token that the training text lacks keeps a run from reaching into the next continuation.
    gap = np.array([int(max(train.max(), *(part.max(initial=0) for part in tokens))) + 1])
    row = np.concatenate([part for each in tokens for part in (each, gap)])
    runs = longest_verbatim_runs(row, train)
    borders = np.cumsum([len(part) + 1 for part in tokens])
    parts = [part[:-1] for part in np.split(runs, borders[:-1])]
    limits = [max(2, round(run / characters_per_token)) for run in _RUN_CHARACTERS]
    found = []
    for kind in (*TEMPERATURES, None):
        lengths = [part for part, of in zip(parts, kinds, strict=True) if of == kind]
        together = np.concatenate([np.append(part, 0) for part in lengths])
        count = len(together) - len(lengths)
        scale = len(together) / max(1, count)  # the zeros between the parts are not tokens
        fractions = {limit: copied_fraction(together, limit) * scale for limit in limits}
        found.append(Copied(kind, int(together.max(initial=0)), fractions))
    return found


def _line_start(text: str, place: int) -> int:
    """Finds the first start of a line from `place` on, or `place` if none is near."""
    if place == 0 or text[place - 1] == "\n":
        return place
    at = text.find("\n", place, place + _LENGTH_CHARACTERS)
    return place if at < 0 or at + 2 * _PROMPT_CHARACTERS > len(text) else at + 1


def _prompt(text: str, place: int) -> str:
    """Returns whole words from `place` on, at least one character."""
    prompt = text[place : place + _PROMPT_CHARACTERS]
    end = max(prompt.rfind(" "), prompt.rfind("\n"))
    return prompt[:end] if end > _PROMPT_CHARACTERS // 2 else prompt
