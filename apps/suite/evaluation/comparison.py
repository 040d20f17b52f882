"""The model beside its baselines: who is better, in a word, a table and metrics.json."""

from collections.abc import Mapping, Sized
from typing import Any, NamedTuple

MODEL = "this model"

Scores = Mapping[str, float]

_ABBREVIATIONS = """
    AP AP50 AUC BLEU CER F1 MAE MASE MRR MSE NASA NDCG PR R2 RMSE VUS WAPE WER chrF sMAPE
"""
_WRITTEN = {each.lower(): each for each in _ABBREVIATIONS.split()} | {
    f"rouge{each}": f"ROUGE-{each}" for each in "12L"
}


class Standing(NamedTuple):
    """Primary metric of the model or of a baseline."""

    name: str
    value: float
    is_model: bool


def primary(
    metric: str, test: Scores, baselines: Mapping[str, Scores], higher_is_better: bool
) -> dict[str, Any]:
    """Returns "primary" for metrics.json: `metric` of the model and of its best baseline.

    Raises ValueError when no baseline has the metric: a result alone says nothing.
    """
    having = {name: scores[metric] for name, scores in baselines.items() if metric in scores}
    if not having:
        raise ValueError(f"no baseline has the primary metric {metric}")
    best = (max if higher_is_better else min)(having, key=having.__getitem__)
    return {
        "name": metric,
        "higher_is_better": higher_is_better,
        "model": test[metric],
        "baseline": {"name": best, "value": having[best]},
    }


def metrics(
    parts: Mapping[str, Sized | int],
    split: str,
    unit: str,
    metric: str,
    test: Scores,
    baselines: Mapping[str, Scores],
    *,
    higher_is_better: bool = True,
    **noted: Any,
) -> dict[str, Any]:
    """Returns the metrics of an evaluation, see `run_folder.RunFolder.write_metrics`.

    Args:
        parts: of the data, or the sizes of those, by name.
        split: tells how they were made.
        unit: of what they hold, in the plural.
        metric: the primary one.
        test: metrics of the model.
        baselines: theirs, by name.
        higher_is_better: of the primary metric.
        noted: further facts on the data.
    """
    counts = {n: len(part) if isinstance(part, Sized) else part for n, part in parts.items()}
    return {
        "data": {"examples": counts, "unit": unit, "split": split, **noted},
        "primary": primary(metric, test, baselines, higher_is_better),
        "test": test,
        "baselines": baselines,
    }


def standings(metrics: Mapping[str, Any]) -> list[Standing]:
    """Returns the model and the baselines that have the primary metric, best first.

    Of equals a baseline comes first: it is the simpler one.
    """
    metric = metrics["primary"]["name"]
    found = [
        Standing(name, scores[metric], False)
        for name, scores in metrics["baselines"].items()
        if metric in scores
    ]
    found.append(Standing(MODEL, metrics["primary"]["model"], True))
    sign = -1 if metrics["primary"]["higher_is_better"] else 1
    return sorted(found, key=lambda standing: (sign * standing.value, standing.is_model))


def verdict(metrics: Mapping[str, Any]) -> str:
    """Returns a sentence that names the better of the model and the best baseline."""
    baseline = metrics["primary"]["baseline"]
    first, model = standings(metrics)[0], metrics["primary"]["model"]
    numbers = (
        f"{number(model)} against {number(baseline['value'])} {words(metrics['primary']['name'])}"
    )
    if model == baseline["value"]:
        return f"Neither is better: the model and the baseline {baseline['name']} reach {numbers}."
    if not first.is_model:
        return f"The baseline {baseline['name']} is better than the model: {numbers}."
    return f"The model is better than the best baseline, {baseline['name']}: {numbers}."


def why(metrics: Mapping[str, Any], reason: str, remedy: str) -> str:
    """Returns a sentence on why the best baseline is better than the model; "" if it is not.

    Args:
        metrics: as of `verdict`.
        reason: the difference between the two in this run, in words.
        remedy: what may turn the comparison around, in words.
    """
    baseline = metrics["primary"]["baseline"]
    if standings(metrics)[0].is_model or metrics["primary"]["model"] == baseline["value"]:
        return ""
    return f"Why {baseline['name']} is better: {reason}; {remedy} may change that."


def table(metrics: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Returns header and rows, best first; a column for each metric that a baseline shares.

    The header's first cell is empty, the primary metric's column comes first and says which
    direction is better.
    """
    chief = metrics["primary"]["name"]
    shared = {metric for scores in metrics["baselines"].values() for metric in scores}
    columns = [chief, *(each for each in metrics["test"] if each in shared and each != chief)]
    direction = "higher" if metrics["primary"]["higher_is_better"] else "lower"
    header = ["", f"{words(chief)} ({direction} is better)", *map(words, columns[1:])]
    rows = []
    for standing in standings(metrics):
        scores = metrics["test"] if standing.is_model else metrics["baselines"][standing.name]
        cells = [number(scores[each]) if each in scores else "" for each in columns]
        rows.append([standing.name, *cells])
    return header, rows


def text_table(metrics: Mapping[str, Any], columns: int | None = None) -> str:
    """Formats `table` for a terminal, with numbers aligned on the right.

    Args:
        metrics: as of `verdict`.
        columns: of the terminal; metrics that do not fit follow below, with the names again. None
            is as wide as it takes.
    """
    header, rows = table(metrics)
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    parts: list[list[int]] = [[]]  # places of the columns of each part
    for at in range(1, len(header)):
        taken = widths[0] + sum(2 + widths[each] for each in [*parts[-1], at])
        if parts[-1] and columns is not None and taken > columns:
            parts.append([])
        parts[-1].append(at)
    return "\n\n".join(
        "\n".join(
            "  ".join(
                [row[0].ljust(widths[0]), *(row[at].rjust(widths[at]) for at in places)]
            ).rstrip()
            for row in (header, *rows)
        )
        for places in parts
    )


def number(value: float) -> str:
    """Formats a number with four digits, whole and large numbers in full."""
    if isinstance(value, int):
        return f"{value:,}"
    if 999.95 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:#.4g}"


def words(name: str) -> str:
    """Returns the name of a metric or a field as a person writes it."""
    return " ".join(_WRITTEN.get(word, word) for word in name.split("_"))
