"""Measures a trained run on its test text: `python -m apps.text_generation.evaluate`.

All measures are means of nats, of the model and of the baselines on the same tokens.
"""

from __future__ import annotations

import math
import shlex
import sys
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.suite.commands import command, progress
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders
from apps.text_generation import config as configs

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.text_generation import baselines, data, trained_model
    from apps.text_generation import mixture as mixtures

TASK = "text_generation"
PRIMARY = "nats_per_character"
ROWS = 16
WARM_UP_TOKENS = 256
LEAST_GAIN = 0.01  # of a mixture over the network alone, or its tables are not worth their room


@dataclass(frozen=True)
class Options:
    """Measure a trained run on its test data, beside baselines, and write its report."""

    run: Path = Path("runs") / TASK
    """Folder of the run."""
    dynamic: bool = False
    """Measure also a reader who goes on learning from the test text that it has read."""


def evaluate(run_folder: Path, *, mix: bool = False, dynamic: bool = False) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Every token of the test part but the first is predicted once, by the model and by the baselines
    alike. Prints who is better, and what to do next. Where `mix`, or the config, asks for n-grams
    beside the network and the run has none yet, they are learned first: the model is then both
    together, and the network alone is one of the baselines. Where `dynamic`, a figure of its own
    tells of weights that follow the text (`dynamic_evaluation`).

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    from apps.text_generation import baselines, continuations, data, report, scoring, trained_model

    trained = trained_model.read(folder, with_ngrams=not mix)
    run = evaluation.Run(folder, trained, data.load(folder.config))
    (streaming, tokenizer, config, _), text = run.trained, run.data
    with progress.working("encoding the text"):
        tokens = data.encode(text, tokenizer, config)
        counts = scoring.character_counts(text.test, tokenizer)
    print(f"reading {len(tokens.test):,} test tokens", flush=True)
    with progress.working("reading the test text"):
        nats = scoring.token_nats(streaming, tokens.test, ROWS, warm_up_tokens=WARM_UP_TOKENS)
    evaluation.refuse_diverged(folder, nats)
    print("counting n-grams for the baselines", flush=True)
    with progress.working("counting n-grams"):
        counted = baselines.evaluate(tokens, tokenizer.vocabulary_size)
    mixture, validation_nats = _mixture(folder, trained, tokens, mix)
    if mixture is not None:
        counted["network alone"] = baselines.Counted(validation_nats, nats)
        nats = mixture.nats(tokens.test, nats)
    adapted = {}
    if dynamic:
        adapted = _dynamic(trained, tokens, mixture, len(text.test) - int(counts[0]))
    answering = trained._replace(mixture=mixture).answering()
    print("writing continuations", flush=True)
    with progress.working("writing continuations"):
        written, copied = continuations.draw(
            answering,
            tokenizer,
            text,
            tokens.train,
            len(text.test) / len(tokens.test),
            config.seed,
        )
    metrics = metrics_of(config, tokens, len(text.test) - int(counts[0]), nats, counted)
    best = metrics["primary"]["baseline"]["name"]
    spread = report.per_character(nats, counts)
    measured = report.Measured(
        spread=spread,
        baseline_spread=report.per_character(counted[best].test_nats, counts),
        passages=report.cut_passages(text.test, spread, counts),
        continuations=written,
        copied=copied,
        baseline_validation={best: counted[best].validation_nats},
        parameters=streaming.count_params(),
        vocabulary_size=tokenizer.vocabulary_size,
        mixture=mixture,
    )
    if mixture is not None:
        metrics["mixture"] = {"order": mixture.model.order, "network_share": mixture.share}
    told = _told(adapted, metrics) if adapted else ""
    if adapted:
        metrics["dynamic_evaluation"] = adapted
    read = f"{_how_it_was_read(tokens)} {told}".rstrip()
    card = report.card(folder, text, metrics, measured, read)
    prompt = continuations.sample_prompt(text, lambda words: not tokenizer.first_unknown(words))
    note = _note(metrics, folder, len(tokens.train), mixture)
    note = f"{note}\n{told}".strip()
    return evaluation.finish(folder, metrics, card, [prompt], note=note)


def metrics_of(
    config: configs.Config,
    tokens: data.Tokens,
    characters: int,
    nats: np.ndarray,
    counted: dict[str, baselines.Counted],
) -> dict[str, Any]:
    """Returns what `evaluation.finish` writes.

    Args:
        config: of the run; it says how the text was cut.
        tokens: all three parts.
        characters: that the predicted tokens of the test part stand for.
        nats: the model's, of each of those tokens.
        counted: the baselines.
    """
    test = {
        **scores(nats, characters),
        "scored_tokens": len(nats),
        "scored_characters": characters,
        "unknown_tokens": int((tokens.test[1:] == 0).sum()),
    }
    of_baselines = {name: scores(each.test_nats, characters) for name, each in counted.items()}
    validation, held_out = config.text.validation_fraction, config.text.test_fraction
    parts = {"train": tokens.train, "validation": tokens.validation, "test": tokens.test}
    return comparison.metrics(
        parts,
        f"contiguous: the last {held_out:.0%} of the characters are the test part, "
        f"the {validation:.0%} before them the validation part",
        "tokens",
        PRIMARY,
        test,
        of_baselines,
        higher_is_better=False,
    )


def scores(nats: np.ndarray, characters: int) -> dict[str, float]:
    """Returns means of nats, and what follows from them."""
    import numpy as np

    total = float(nats.sum(dtype=np.float64))
    return {
        "nats_per_character": total / characters,
        "bits_per_character": total / characters / math.log(2),
        "nats_per_token": total / len(nats),
        "perplexity": math.exp(min(total / len(nats), 700.0)),  # beyond it floats end
    }


def _mixture(
    folder: run_folders.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    tokens: data.Tokens,
    mix: bool,
) -> tuple[mixtures.Mixture | None, float]:
    """Returns the n-grams that the run answers with, and the network's nats of the validation part.

    Those that are asked for and not there are learned, and written into the run folder.
    """
    from apps.text_generation import mixture as mixtures
    from apps.text_generation import scoring

    wanted = "always" if mix else folder.config.model.ngram_mixture
    if trained.mixture is None and wanted == "never":
        return None, math.nan
    print("reading the validation text", flush=True)
    with progress.working("reading the validation text"):
        nats = scoring.token_nats(
            trained.streaming, tokens.validation, ROWS, warm_up_tokens=WARM_UP_TOKENS
        )
    evaluation.refuse_diverged(folder, nats)
    alone = float(nats.mean())
    if trained.mixture is not None:
        return trained.mixture, alone
    print("mixing the network with n-grams", flush=True)
    with progress.working("counting n-grams"):
        size = trained.tokenizer.vocabulary_size
        mixture, together = mixtures.fit(tokens.train, tokens.validation, size, nats)
    if wanted == "auto" and together > (1 - LEAST_GAIN) * alone:
        return None, alone
    mixtures.save(mixture, folder.path)
    return mixture, alone


def _dynamic(
    trained: trained_model.TrainedModel,
    tokens: data.Tokens,
    mixture: mixtures.Mixture | None,
    characters: int,
) -> dict[str, Any]:
    """Returns what dynamic evaluation measures of the run, and with which settings.

    A mixture takes the share that fits the validation part as the weights follow it.
    """
    from apps.text_generation import dynamic_evaluation

    print("learning from the test text as it is read (dynamic evaluation)", flush=True)
    with progress.working("dynamic evaluation"):
        adapted = dynamic_evaluation.evaluate(trained, tokens)
    alone = scores(adapted.nats, characters)[PRIMARY]
    settings: dict[str, Any] = {
        "rate": adapted.rate,
        "decay": adapted.decay,
        "segment_tokens": dynamic_evaluation.SEGMENT_TOKENS,
    }
    if mixture is None:
        return settings | {PRIMARY: alone}
    fitted = mixture.refitted(adapted.validation, adapted.validation_nats)
    mixed = scores(fitted.nats(tokens.test, adapted.nats), characters)[PRIMARY]
    network = {"network_share": fitted.share, f"network_alone_{PRIMARY}": alone}
    return settings | network | {PRIMARY: mixed}


def _told(adapted: dict[str, Any], metrics: dict[str, Any]) -> str:
    """Tells what dynamic evaluation measured, beside the figure of the model that is served."""
    alone = adapted.get(f"network_alone_{PRIMARY}")
    beside = "" if alone is None else f" (its network alone {comparison.number(alone)})"
    return (
        f"Dynamic evaluation: {comparison.number(adapted[PRIMARY])} nats per character{beside} "
        f"instead of {comparison.number(metrics['test'][PRIMARY])}, where the weights follow the "
        f"text: after each {adapted['segment_tokens']} tokens that were scored, they learn from "
        f"them (rate {adapted['rate']:g}, decay {adapted['decay']:g}, chosen on the validation "
        "part). predict and an export keep the trained weights."
    )


def _note(
    metrics: dict[str, Any],
    folder: run_folders.RunFolder[configs.Config],
    train_tokens: int,
    mixture: mixtures.Mixture | None,
) -> str:
    """Tells what was mixed, or why a baseline wins, where one does."""
    from apps.text_generation import mixture as mixtures

    if mixture is not None:
        return (
            f"This model is {mixture.told}. predict and export answer with this mixture; "
            f"{folder.path / mixtures.FILE} holds it."
        )
    settings = folder.config.training
    read = settings.steps * settings.batch_size * settings.window_tokens / train_tokens
    longer = "more training.steps or a larger preset"
    return comparison.why(
        metrics,
        f"the n-gram counts every token of the training part, the model read it {read:,.2g} times "
        f"in {settings.steps:,} steps",
        f"{'--preset default' if folder.config.preset == 'tiny' else longer}, or a mixture of both "
        f"(python -m apps.text_generation.mix --run {shlex.quote(str(folder.path))}),",
    )


def _how_it_was_read(tokens: data.Tokens) -> str:
    return (
        f"Each of the {len(tokens.test) - 1:,} tokens after the first was predicted once, from all "
        f"that stands before it. The text was read in {ROWS} contiguous parts side by side, with "
        "the state carried on and without dropout; each part but the first had read the "
        f"{WARM_UP_TOKENS} tokens before it. The baselines predicted the same tokens."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""

    def run(options: Options) -> None:
        with progress.never_silent():
            evaluate(options.run, dynamic=options.dynamic)

    return command.run_command(TASK, "evaluate", Options, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
