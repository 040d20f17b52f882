"""What a trained run is worth on its test text: `python -m apps.text_generation.evaluate`.

Nats as metrics: of the model and of the baselines on the same tokens.
"""

from __future__ import annotations

import dataclasses
import math
import shlex
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.suite import errors
from apps.suite.commands import command
from apps.suite.evaluation import comparison
from apps.suite.runs import run_folder as run_folders
from apps.text_generation import config as configs

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.text_generation import baselines, data


PRIMARY = "nats_per_character"


def metrics_of(
    config: configs.Config,
    tokens: data.Tokens,
    characters: int,
    nats: np.ndarray,
    counted: dict[str, baselines.Counted],
) -> dict[str, Any]:
    """What `run_folder.RunFolder.write_metrics` is given.

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
    return {
        "data": {
            "examples": {name: len(part) for name, part in parts.items()},
            "unit": "tokens",
            "split": f"contiguous: the last {held_out:.0%} of the characters are the test part, "
            f"the {validation:.0%} before them the validation part",
        },
        "primary": comparison.primary(PRIMARY, test, of_baselines, higher_is_better=False),
        "test": test,
        "baselines": of_baselines,
    }


def scores(nats: np.ndarray, characters: int) -> dict[str, float]:
    """Means of nats, and what follows from them."""
    import numpy as np

    total = float(nats.sum(dtype=np.float64))
    return {
        "nats_per_character": total / characters,
        "bits_per_character": total / characters / math.log(2),
        "nats_per_token": total / len(nats),
        "perplexity": math.exp(min(total / len(nats), 700.0)),  # beyond it floats end
    }


TASK = "text_generation"
ROWS = 16
WARM_UP_TOKENS = 256


@dataclasses.dataclass(frozen=True)
class Options:
    """Measure a trained run on its test text, beside baselines, and write its report."""

    run: Path = Path("runs") / TASK
    """Folder of the run."""


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, plots and report.html of a trained run; returns the metrics.

    Every token of the test part but the first is predicted once, by the model and by the baselines
    alike. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    import numpy as np

    from apps.text_generation import baselines, data

    folder = run_folders.open_trained(Path(run_folder), TASK, configs.Config)
    # TensorFlow takes seconds to import: only now, so that refusals are there at once.

    from apps.text_generation import continuations, report, scoring, trained_model

    streaming, tokenizer, _ = trained_model.read(folder)
    text = data.load(folder.config)
    if text.fingerprint != folder.data["fingerprint"]:
        raise errors.UserError(
            f"{text.source}: changed since the training of {folder.path}; "
            "restore it, or train again"
        )
    tokens = data.encode(text, tokenizer, folder.config)
    counts = scoring.character_counts(text.test, tokenizer)
    print(f"reading {len(tokens.test):,} test tokens", flush=True)
    nats = scoring.token_nats(streaming, tokens.test, ROWS, warm_up_tokens=WARM_UP_TOKENS)
    if not np.isfinite(nats).all():
        raise errors.UserError(
            f"{folder.model_file}: its loss on the test part is not finite: the training diverged; "
            "train again with a lower training.learning_rate"
        )
    print("counting n-grams for the baselines", flush=True)
    counted = baselines.evaluate(tokens, tokenizer.vocabulary_size)
    print("writing continuations", flush=True)
    characters = len(text.test) - int(counts[0])
    written, copied = continuations.draw(
        streaming,
        tokenizer,
        text,
        tokens.train,
        len(text.test) / len(tokens.test),
        folder.config.seed,
    )
    metrics = metrics_of(folder.config, tokens, characters, nats, counted)
    best = counted[metrics["primary"]["baseline"]["name"]]
    spread = report.per_character(nats, counts)
    measured = report.Measured(
        spread=spread,
        baseline_spread=report.per_character(best.test_nats, counts),
        passages=report.cut_passages(text.test, spread, counts),
        continuations=written,
        copied=copied,
        baseline_validation={
            name: each.validation_nats for name, each in counted.items() if each is best
        },
        parameters=streaming.count_params(),
        vocabulary_size=tokenizer.vocabulary_size,
    )
    report.write(folder, text, metrics, measured, _how_it_was_read(tokens))
    folder.write_metrics(metrics)
    print(f"\n{comparison.text_table(metrics)}\n\n{comparison.verdict(metrics)}\n")
    print(f"report:  {folder.report_file}")
    prompt = shlex.quote(continuations.sample_prompt(text))
    print(f"next:    python -m apps.{TASK}.predict --run {shlex.quote(str(folder.path))} {prompt}")
    return metrics


def _how_it_was_read(tokens: data.Tokens) -> str:
    return (
        f"Each of the {len(tokens.test) - 1:,} tokens after the first was predicted once, from all "
        f"that stands before it. The text was read in {ROWS} contiguous parts side by side, with "
        "the state carried on and without dropout; each part but the first had read the "
        f"{WARM_UP_TOKENS} tokens before it. The baselines predicted the same tokens."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return command.run_command(
        TASK, "evaluate", Options, lambda options: evaluate(options.run), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
