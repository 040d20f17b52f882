"""Runs of one training over seeds and settings, compared: means, differences with tests, a plot.

A difference between two settings is judged by pairs: both were trained with the same seed, and the
mean of the differences is set against their deviation (paired t-test, two-sided). Few seeds find
large differences only; a p-value says nothing of a difference's size, hence the interval beside it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.axes

from apps.suite import errors
from apps.suite.evaluation import comparison, plot_style, plots
from apps.suite.runs import files

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Setting:
    """Results of the runs of one setting, by seed.

    Attributes:
        name: the value of the field that differs, or the task.
        test: primary metric on the test part.
        validation: best `validation_metric` of history.csv; none where it has no such column.
        train_seconds: time of training.
        baselines: primary metric of each baseline that has it, by name, then by seed.
    """

    name: str
    test: Mapping[int, float]
    validation: Mapping[int, float]
    train_seconds: Mapping[int, float]
    baselines: Mapping[str, Mapping[int, float]]


@dataclasses.dataclass(frozen=True)
class Difference:
    """One minus other, over the seeds that both have.

    Attributes:
        one, other: names of settings, or of a baseline.
        seeds: pairs.
        better: pairs in which `one` is better.
        mean: of the differences.
        low, high: 95 % interval of the mean; nan for a single pair.
        p: of the paired t-test; nan for a single pair, or where all differences are equal.
    """

    one: str
    other: str
    seeds: int
    better: int
    mean: float
    low: float
    high: float
    p: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The settings in their order, and the metrics that compare and choose them.

    `validation_metric` is the column of history.csv that chooses: `validation_loss`, or that of
    the primary metric where a training has no loss of its validation part.
    """

    metric: str
    higher_is_better: bool
    settings: tuple[Setting, ...]
    validation_metric: str = "validation_loss"

    @property
    def validation_is_lower(self) -> bool:
        """Returns whether a lower value of `validation_metric` is better."""
        return self.validation_metric == "validation_loss" or not self.higher_is_better


def read(runs: Mapping[str, Mapping[int, Path]]) -> Comparison:
    """Reads finished runs: for each setting the run folders by seed.

    Raises:
        errors.UserError: a metrics.json that is missing or damaged, runs of which the primary
            metrics differ.
    """
    metric: tuple[str, bool] | None = None
    chooses = ""
    settings = []
    for name, folders in runs.items():
        found: dict[str, dict[int, Any]] = {"test": {}, "validation": {}, "seconds": {}}
        baselines: dict[str, dict[int, float]] = {}
        for seed, folder in folders.items():
            file = folder / "metrics.json"
            metrics = files.read_json(file)
            try:
                primary = metrics["primary"]
                this = (str(primary["name"]), bool(primary["higher_is_better"]))
                found["test"][seed] = float(primary["model"])
                found["seconds"][seed] = float(metrics["train_seconds"])
                for baseline, scores in metrics["baselines"].items():
                    if this[0] in scores:
                        baselines.setdefault(baseline, {})[seed] = float(scores[this[0]])
            except (KeyError, TypeError, ValueError) as error:
                raise errors.UserError(f"{file} is damaged ({error!r})") from error
            if metric not in (None, this):
                raise errors.UserError(f"{file}: the metric is {this[0]}, of other runs {metric}")
            metric = this
            history = plots.read_history(folder / "history.csv")
            known = (each for each in ("validation_loss", f"validation_{this[0]}"))
            chooses = chooses or next((each for each in known if each in history), "")
            if chooses in history:
                lower = chooses == "validation_loss" or not this[1]
                found["validation"][seed] = (min if lower else max)(history[chooses])
        settings.append(
            Setting(name, found["test"], found["validation"], found["seconds"], baselines)
        )
    if metric is None:
        raise errors.UserError("there is no run to compare")
    return Comparison(*metric, tuple(settings), chooses or "validation_loss")


def difference(
    one: tuple[str, Mapping[int, float]],
    other: tuple[str, Mapping[int, float]],
    higher_is_better: bool,
) -> Difference | None:
    """Compares two (name, value by seed) over the seeds that both have; None if there are none."""
    from scipy import stats

    seeds = sorted(one[1].keys() & other[1].keys())
    if not seeds:
        return None
    values = [one[1][seed] - other[1][seed] for seed in seeds]
    better = sum(value > 0 if higher_is_better else value < 0 for value in values)
    mean = statistics.fmean(values)
    low = high = p = math.nan
    if len(values) > 1:
        deviation = statistics.stdev(values)
        half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * deviation / len(values) ** 0.5
        low, high = mean - half, mean + half
        if deviation > 0:
            statistic = mean / (deviation / len(values) ** 0.5)
            p = float(2 * stats.t.sf(abs(statistic), len(values) - 1))
    return Difference(one[0], other[0], len(values), better, mean, low, high, p)


def best_baseline(found: Comparison) -> tuple[str, Mapping[int, float]] | None:
    """Returns the baseline of the best mean over the runs of the first setting, by seed."""
    baselines = found.settings[0].baselines
    if not baselines:
        return None
    pick = max if found.higher_is_better else min
    name = pick(baselines, key=lambda each: statistics.fmean(baselines[each].values()))
    return name, baselines[name]


def differences(found: Comparison, of: str | None = None) -> Iterator[Difference]:
    """Yields each setting against the best baseline of its runs, then the settings in pairs.

    With a setting `of` only the differences between it and the others.
    """
    best = best_baseline(found)
    for setting in found.settings:
        if best and best[0] in setting.baselines and of in (None, setting.name):
            against = (best[0], setting.baselines[best[0]])
            each = difference((setting.name, setting.test), against, found.higher_is_better)
            if each:
                yield each
    for one, other in itertools.combinations(found.settings, 2):
        if of not in (None, one.name, other.name):
            continue
        if of == other.name:
            one, other = other, one
        each = difference((one.name, one.test), (other.name, other.test), found.higher_is_better)
        if each:
            yield each


def chosen(found: Comparison) -> str | None:
    """Names the setting of the best mean on validation; None where a run has no such value."""
    means = {
        each.name: statistics.fmean(each.validation.values())
        for each in found.settings
        if each.validation and each.validation.keys() == each.test.keys()
    }
    pick = min if found.validation_is_lower else max
    return pick(means, key=means.__getitem__) if len(means) == len(found.settings) else None


def by_validation(found: Comparison) -> Comparison:
    """Returns the comparison with its settings from the best on the validation part to the worst.

    Settings without a validation result come last.
    """
    sign = 1 if found.validation_is_lower else -1

    def place(each: Setting) -> float:
        values = each.validation.values()
        return sign * statistics.fmean(values) if values else math.inf

    return dataclasses.replace(found, settings=tuple(sorted(found.settings, key=place)))


def tables(found: Comparison, title: str, of: str | None = None) -> str:
    """Formats both tables in Markdown: the settings, and the differences (`of` one of them)."""
    direction = "higher" if found.higher_is_better else "lower"
    metric = f"test {comparison.words(found.metric)} ({direction} is better)"
    end = "lowest" if found.validation_is_lower else "highest"
    chooses = f"{end} {comparison.words(found.validation_metric)}"
    rows = [["", "seeds", metric, chooses, "training, s"]]
    pick = chosen(found) if len(found.settings) > 1 else None
    for each in found.settings:
        name = f"{each.name} (chosen: {chooses})" if each.name == pick else each.name
        cells = map(_mean, (each.test, each.validation, each.train_seconds))
        rows.append([name, str(len(each.test)), *cells])
    for name, values in found.settings[0].baselines.items():
        rows.append([f"baseline {name}", str(len(values)), _mean(values), "", ""])
    pairs = [["", "difference", "95 % interval", "p", "better in"]]
    for pair in differences(found, of):
        interval = "" if math.isnan(pair.low) else f"{pair.low:+.4g} to {pair.high:+.4g}"
        p = "" if math.isnan(pair.p) else f"{pair.p:.3g}"
        pairs.append(
            [f"{pair.one} - {pair.other}", f"{pair.mean:+.4g}", interval, p,
             f"{pair.better} of {pair.seeds}"]
        )  # fmt: skip
    told = (
        "Mean ± standard deviation over seeds. Differences are paired by seed (t-test, two-sided); "
        "choose a setting by its validation column, not by the test column."
    )
    return "\n\n".join([f"# {title}", _markdown(rows), _markdown(pairs), told]) + "\n"


def summary(found: Comparison, of: str | None = None) -> dict[str, Any]:
    """Returns the comparison as JSON values; its differences `of` one setting, or all."""
    return {
        "metric": found.metric,
        "higher_is_better": found.higher_is_better,
        "settings": [
            {
                "name": each.name,
                "test": {str(seed): value for seed, value in each.test.items()},
                found.validation_metric: {str(at): value for at, value in each.validation.items()},
            }
            for each in found.settings
        ],
        "chosen_on_validation": chosen(found),
        "differences": [
            {name: None if value != value else value for name, value in vars(each).items()}
            for each in differences(found, of)
        ],
    }


def plot(folder: Path, found: Comparison) -> plots.Plot:
    """Plots every run as a point and every setting's mean as a line, the best baseline dashed."""
    direction = "higher" if found.higher_is_better else "lower"
    best = best_baseline(found)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        for at, setting in enumerate(found.settings):
            values = list(setting.test.values())
            axes.plot(values, [at] * len(values), "o", color=theme.model, alpha=0.6)
            axes.plot([statistics.fmean(values)] * 2, [at - 0.28, at + 0.28], color=theme.ink)
        if best:
            value = statistics.fmean(best[1].values())
            axes.axvline(value, color=theme.other, linestyle="dashed", label=f"baseline {best[0]}")
            plot_style.legend(axes, theme)
        axes.set_yticks(range(len(found.settings)), [each.name for each in found.settings])
        axes.set_ylim(len(found.settings) - 0.5, -0.5)
        axes.set_xlabel(f"test {comparison.words(found.metric)} ({direction} is better)")

    told = "; ".join(f"{each.name} {_mean(each.test)}" for each in found.settings)
    title = "Runs over seeds, and their mean"
    return plots.save(
        folder, "comparison", title, f"{told}.", draw, 1.3 + 0.5 * len(found.settings)
    )


def _mean(values: Mapping[int, float]) -> str:
    """Formats mean and standard deviation; of a single value the value, of none nothing."""
    if not values:
        return ""
    mean = comparison.number(statistics.fmean(values.values()))
    return f"{mean} ± {statistics.stdev(values.values()):.2g}" if len(values) > 1 else mean


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
