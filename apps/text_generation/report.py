"""The words of text generation's report: what was measured, how, and what it is good for.

Where in a text the nats go: by character, by passage, and by the place in a word.
"""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.suite.evaluation import comparison, plots, report
from apps.suite.runs import run_folder
from apps.text_generation import config as configs
from apps.text_generation import continuations, data, mixture

LETTERS = ("1st letter", "2nd", "3rd", "4th", "5th", "6th and on")
PLACES = (*LETTERS, "space", "line end", "other mark")


class Passage(NamedTuple):
    """A stretch of the text, and its tokens with the nats a character of each."""

    start: int  # in characters
    parts: list[tuple[str, float]]
    nats_per_character: float

    @property
    def text(self) -> str:
        """Returns the stretch of the text."""
        return "".join(part for part, _ in self.parts)

    @property
    def end(self) -> int:
        """Returns the place after the stretch, in characters."""
        return self.start + len(self.text)


def per_character(nats: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Spreads nats over the characters, float64 [characters]; the first token's are zero.

    Args:
        nats: of every token but the first, float [tokens - 1].
        counts: characters of each token, as `scoring.character_counts` returns them; those of a
            token that continues a character go to that character.
    """
    shares = np.concatenate([[0.0], nats]) / np.maximum(counts, 1)
    spread = np.repeat(shares, counts)
    continuing = counts == 0
    np.add.at(spread, np.cumsum(counts)[continuing] - 1, shares[continuing])
    return spread


def cut_passages(
    text: str, spread: np.ndarray, counts: np.ndarray, length_characters: int = 240
) -> list[Passage]:
    """Cuts a text into passages of about a length, from line to line where lines are short enough.

    Args:
        text: the text.
        spread: nats of its characters, as `per_character` returns them.
        counts: characters of each token.
        length_characters: of a passage, give or take half of it; what is left at the end, if
            shorter than that, is left out.
    """
    borders = np.cumsum(counts[counts > 0])
    found = []
    start = int(borders[0])  # nobody predicts the first token
    while len(text) - start >= length_characters:
        end = _end(text, start, length_characters)
        first, last = np.searchsorted(borders, [start + 1, end])
        edges = [start, *map(int, borders[first:last]), end]
        parts = [(text[a:b], float(spread[a:b].mean())) for a, b in itertools.pairwise(edges)]
        found.append(Passage(start, parts, float(spread[start:end].mean())))
        start = end
    return found


def easiest_and_hardest(
    passages: Sequence[Passage], count: int
) -> tuple[list[Passage], list[Passage]]:
    """The `count` passages with the fewest nats a character, and with the most, none twice."""
    ranked = sorted(passages, key=lambda passage: passage.nats_per_character)
    count = min(count, len(ranked) // 2)
    return ranked[:count], ranked[len(ranked) - count :][::-1]


def by_place(text: str, spread: np.ndarray) -> dict[str, float]:
    """Returns the mean nats of the characters at each of `PLACES` that occurs in the text."""
    places = np.empty(len(text), np.int64)
    letter = 0
    for at, character in enumerate(text):
        if character.isalnum():
            places[at] = min(letter, len(LETTERS) - 1)
            letter += 1
        else:
            letter = 0
            name = {" ": "space", "\n": "line end"}.get(character, "other mark")
            places[at] = PLACES.index(name)
    return {
        name: float(spread[places == at].mean())
        for at, name in enumerate(PLACES)
        if (places == at).any()
    }


def _end(text: str, start: int, length: int) -> int:
    """Returns the last line end, or else space, within `start + length`."""
    low, high = start + length // 2, start + length + length // 2
    for border in ("\n", " "):
        at = text.rfind(border, low, high)
        if at >= 0:
            return at + 1
    return min(high, len(text))


UNIT = "nats per character"
_HEAT_NATS = 6.0  # the surprise at which the colour is full: one choice in 400
_SHOWN_CHARACTERS = 420  # of a continuation

_MEANING = {
    "nats per character": "Minus the natural logarithm of the probability that the model gave the "
    "text, divided by its characters. It can be compared between models with different tokens. "
    "Divided by ln 2 it is bits per character: what a perfect compressor would need.",
    "perplexity": "The number of equally likely tokens that would surprise as much. Compare it "
    "only between models with the same vocabulary.",
    "unknown tokens": "Tokens of the test part that the vocabulary, learned from the training part "
    "alone, lacks. They are predicted as one token, and how they are written is not paid for.",
    "unigram": "Knows how frequent each token is, and nothing else.",
    "n-gram Kneser-Ney": "Counts what followed the last n - 1 tokens in the training part, "
    "smoothed by modified Kneser-Ney; n is the best one on the validation part.",
}
_OF_A_MIXTURE = {
    "network alone": "The same network without the n-grams, which no command of this run asks: "
    "predict and the export answer with the mixture, which is measured here as this model.",
}
_LIMITS = (
    "The numbers hold for text like the one that was learned. Of another text, or of facts, they "
    "say nothing.",
    "The model writes what sounds alike. It does not know what is true, and it repeats what stands "
    "in its training text, whatever that is.",
    "One run with one seed: a difference in the third digit may be chance.",
)


class Measured(NamedTuple):
    """Results of `evaluate` besides its metrics."""

    spread: np.ndarray  # nats of each character of the test part, from this model
    baseline_spread: np.ndarray  # from the best baseline
    passages: Sequence[Passage]
    continuations: Sequence[continuations.Continuation]
    copied: Sequence[continuations.Copied]
    baseline_validation: Mapping[str, float]  # nats a token
    parameters: int
    vocabulary_size: int
    mixture: mixture.Mixture | None = None


def card(
    folder: run_folder.RunFolder[configs.Config],
    text: data.Text,
    metrics: Mapping[str, Any],
    measured: Measured,
    scoring: str,
) -> report.Card:
    """Draws the plots, and returns the model card; `scoring` says how the test part was read."""
    config = folder.config
    baseline = metrics["primary"]["baseline"]["name"]
    results: list[report.Block] = [
        plots.model_and_baselines(folder.plots, metrics, UNIT),
        report.Paragraph(scoring),
    ]
    if config.text.tokenizer in ("character", "byte"):
        results.append(_by_place(folder, text, measured, baseline))
    curve = plots.learning_curve(
        folder.plots, folder.history_file, "nats per token", references=measured.baseline_validation
    )
    return report.Card(
        title="Text generation",
        summary=f"A language model of {config.model.layer_count} recurrent "
        f"{'layer' if config.model.layer_count == 1 else 'layers'} that continues a text, one "
        f"{config.text.tokenizer} at a time. It learned from {text.name}."
        + (f" It is {measured.mixture.told}." if measured.mixture else ""),
        facts={
            "parameters": f"{measured.parameters:,}",
            "perplexity a token": comparison.number(metrics["test"]["perplexity"]),
        }
        | (
            {"n-grams": f"{measured.mixture.megabytes:,.0f} MB in the export"}
            if measured.mixture
            else {}
        ),
        data={"Licence": text.licence, "Source": text.source}
        | {"Vocabulary": f"{measured.vocabulary_size:,} {config.text.tokenizer} tokens"},
        results=results,
        learning=[
            curve,
            report.Paragraph(
                "The training loss is measured with dropout, while the weights change; the "
                "validation loss without it, on the weights that a stop at this step would keep. "
                "Those with the lowest validation loss were kept."
            ),
        ],
        examples=[_written(measured), _copied(measured), _passages(text, measured, baseline)],
        meaning=_MEANING | (_OF_A_MIXTURE if measured.mixture else {}),
        limits=_LIMITS,
        serving=_serving(folder, continuations.sample_prompt(text)),
        presets=configs.PRESETS,
    )


def _by_place(
    folder: run_folder.RunFolder[configs.Config],
    text: data.Text,
    measured: Measured,
    baseline: str,
) -> plots.Plot:
    series = {
        "this model": by_place(text.test, measured.spread),
        baseline: by_place(text.test, measured.baseline_spread),
    }
    return plots.grouped_bars(
        folder.plots,
        "nats_by_place",
        "Where in a word the nats go",
        series,
        x_label="place of the character",
        y_label=f"mean of the test part ({UNIT})",
    )


def _written(measured: Measured) -> report.Section:
    """Shows one place of the text continued at every temperature, beside the real text."""
    blocks: list[report.Block] = []
    kinds = len(continuations.TEMPERATURES) + 1
    for continuation in measured.continuations[kinds : 2 * kinds]:  # of the second place
        caption = "What the text really says"
        if continuation.temperature is not None:
            caption = f"Written by the model at temperature {continuation.temperature}"
        shown = continuation.text[:_SHOWN_CHARACTERS] + "…"
        blocks.append(report.Passage(caption, shown, lead=continuation.prompt))
    return report.Section("Continuations of the test text", blocks)


def _copied(measured: Measured) -> report.Section:
    limits = list(measured.copied[0].fractions)
    rows = []
    for copied in measured.copied:
        name = "the test text itself"
        if copied.temperature is not None:
            name = f"the model at temperature {copied.temperature}"
        shares = [f"{100 * copied.fractions[limit]:.1f} %" for limit in limits]
        rows.append([name, f"{copied.longest_run_tokens}", *shares])
    return report.Section(
        "How much is copied",
        [
            report.Table(
                "Runs of tokens that stand in the training part word for word. A text repeats "
                "itself: the last row is what the very places of the test part show by themselves.",
                ["", "longest run, tokens", *(f"in runs of {limit} or more" for limit in limits)],
                rows,
            )
        ],
    )


def _passages(text: data.Text, measured: Measured, baseline: str) -> report.Section:
    easy, hard = easiest_and_hardest(measured.passages, 2)
    blocks: list[report.Block] = [
        report.Paragraph(
            f"Of {len(measured.passages):,} passages of the test part the best and the worst "
            "predicted ones. The stronger the colour of a token, the more it surprised the model; "
            "pointing at it shows its nats per character."
        )
    ]
    for word, group in (("Best", easy), ("Worst", hard)):
        for passage in group:
            other = float(measured.baseline_spread[passage.start : passage.end].mean())
            caption = (
                f"{word} predicted: {comparison.number(passage.nats_per_character)} {UNIT} "
                f"({baseline}: {comparison.number(other)})"
            )
            # A line end has no width to be coloured.
            parts = [(part.replace("\n", "↵\n"), nats) for part, nats in passage.parts]
            is_last = passage is hard[-1]
            blocks.append(report.Heated(caption, parts, _HEAT_NATS, UNIT, scale=is_last))
    return report.Section("Successes and failures", blocks)


def _serving(folder: run_folder.RunFolder[configs.Config], prompt: str) -> list[report.Block]:
    inputs = {
        "prompt": [prompt],
        "length": 200,
        "temperature": 0.8,
        "top_k": 0,
        "top_p": 1.0,
        "seed": 0,
    }
    request = shlex.quote(json.dumps({"inputs": inputs}, ensure_ascii=False))
    return report.ways_to_ask(folder, shlex.quote(prompt), request)
