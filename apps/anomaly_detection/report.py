"""Writes the words and tables of the report, with the kinds of faults that were found."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras

from apps.anomaly_detection import (
    alarm_examples,
    data,
    detections,
    measures,
    scoring,
    thresholds,
    trained_model,
)
from apps.anomaly_detection import config as configs
from apps.suite.data import named_sets
from apps.suite.evaluation import comparison, plots, report
from apps.suite.runs import run_folder
from apps.suite.tables import series

_ALARMS = (
    "range_f1",
    "median_delay_steps",
    "alarms_per_week",
    "false_alarms_per_week",
    "expected_alarms_per_week",
    "point_adjusted_f1",
)
_MOST_SERIES = 100
_SCORES = ("vus_pr", "auc_pr", "event_precision", "event_recall", "event_f1")
_MEANING = {
    "vus pr": "Volume under the surface of precision, recall and the width of a tolerance around "
    "the labels (Paparrizos et al. 2022), without any threshold; the mean over the series that "
    "have a labelled event. Random scores reach about the share of labelled steps.",
    "auc pr": "Average precision of the steps, without a tolerance.",
    "event precision, recall": "An event is found when an alarm overlaps it; an alarm that "
    "overlaps none is false. Precision is found events among found events and false alarms.",
    "range f1": "Precision and recall by how much of each alarm and each event overlap (Tatbul et "
    "al. 2018); half of an event's recall is for having been found at all.",
    "median delay steps": "From the start of a found event to its first alarm.",
    "alarms per week": "Alarms in the test part, and the false ones among them, beside what the "
    "threshold was to give by the validation part, where nothing is known to be wrong: the false "
    "ones are to be compared with it.",
    "point adjusted f1": "F1 of the steps at the best threshold, chosen by the labels, where one "
    "flagged step makes a whole event found. Random scores do well in it: it is shown because "
    "others report it, and says little.",
}
_KINDS = {
    "forecaster": "A forecaster",
    "encoder_decoder": "An encoder-decoder",
    "autoencoder": "An autoencoder",
}
_LIMITS = (
    "Labels say where somebody saw, or made, something unusual. An alarm at something unusual and "
    "harmless, or at something that nobody noticed, counts as false here.",
    "The threshold holds for data that behave as the validation part did. After a lasting change "
    "train again.",
    "One run with one seed, and few events: a difference of one event may be chance.",
)


class Measured(NamedTuple):
    """Findings of `evaluate` beside its metrics."""

    collection: series.Collection
    scored: Sequence[scoring.ScoredSeries]
    model: detections.Detection
    baselines: Mapping[str, detections.Detection]
    trained: trained_model.TrainedModel
    faults: Sequence[Fault]
    alike: Mapping[str, detections.Detection] = {}  # scores of all series as they come


def card(
    folder: run_folder.RunFolder[configs.Config],
    metrics: Mapping[str, Any],
    measured: Measured,
) -> report.Card:
    """Draws the plots, and returns the model card."""
    config, collection = folder.config, measured.collection
    threshold = measured.model.threshold
    columns = f"{collection.scored_count} column{'s' if collection.scored_count > 1 else ''}"
    return report.Card(
        title="Anomaly detection",
        summary=f"{_KINDS[config.model.kind]} of {config.model.layer_count} recurrent "
        f"{'layer' if config.model.layer_count == 1 else 'layers'} that learned what "
        f"{collection.name} usually does, scores how far each step is from it, and raises alarms."
        f"{_season(measured.trained.network)}",
        facts={
            "events found": f"{metrics['test']['found_events']} of {metrics['test']['events']}",
            "false alarms": f"{metrics['test']['false_alarms']}",
            "parameters": f"{measured.trained.network.count_params():,}",
        },
        data={
            "Licence": collection.licence,
            "Source": collection.source,
            "Series": f"{len(collection.series):,}, {columns} scored",
            **({"Read as": ". ".join(collection.understood)} if collection.understood else {}),
            **({"Notes": " ".join(collection.notes)} if collection.notes else {}),
        },
        results=[
            plots.model_and_baselines(folder.plots, narrow(metrics), "VUS-PR"),
            alarms(metrics),
            report.Paragraph(
                f"Every detector's threshold was found by {words(threshold.method)} "
                "on the scores of its validation part, without a label, and alarms became events "
                "in the same way. Random scores are uniform noise: a measure that they do well in "
                f"says nothing. {thresholds.told(threshold, config.threshold.alarms_per_week)}"
            ),
            *(
                [report.Paragraph(reason)]
                if (reason := why(folder, measured.trained, metrics, len(collection.series)))
                else []
            ),
            methods(measured, config),
            *by_kind(measured),
            *by_series(measured),
            *by_level(measured),
        ],
        learning=[
            plots.learning_curve(
                folder.plots, folder.history_file, "mean square, in variances of the train part"
            ),
            report.Paragraph(
                "The training loss is measured with dropout and with hidden inputs, the validation "
                "loss without. The weights with the lowest validation loss were kept."
            ),
        ],
        examples=alarm_examples.sections(
            folder, measured.collection, measured.scored, measured.model
        ),
        meaning=_MEANING,
        limits=_LIMITS,
        serving=report.ways_to_ask(
            folder, "readings.csv --events events.csv --plot alarms.png", "@request.json"
        ),
        presets=configs.PRESETS,
    )


_ADVANTAGES = {
    "seasonal naive": "it repeats the season before, {season}",
    "moving z-score": "what matters here is the distance from the steps just before",
    "PCA": "columns that move together in short windows say most here",
    "isolation forest": "unusual values stand out by themselves here",
    "a model each": "each has learned one series alone: --model.networks each takes them",
    "a model in common": "it has learned from all series",
    "random scores": "no detector tells the labelled events from the rest here",
}


def why(
    folder: run_folder.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    metrics: Mapping[str, Any],
    series_count: int,
) -> str:
    """Returns likely reasons why a baseline is better than the model; "" if none is."""
    first = comparison.standings(metrics)[0]
    if first.is_model:
        return ""
    season, training = trained.season_steps, folder.config.training
    read = (
        f"which the model reads too, {season} steps back" if season else "and the model reads none"
    )
    told = [_ADVANTAGES[first.name].format(season=read)]
    if not trained.scales and series_count > 1:
        told.append("it was fitted to each series by itself, and the model to all of them alike")
    with folder.history_file.open(encoding="utf-8", newline="") as file:
        losses = [float(row["validation_loss"]) for row in csv.DictReader(file)]
    if len(losses) > 1 and losses[-1] <= min(losses):
        told.append(
            f"the model was still getting better when its {training.steps:,} steps were over: "
            "raise training.steps"
        )
    steps = metrics["data"]["examples"]["train"]
    if steps < _FEW_STEPS:
        told.append(f"{steps:,} steps are few for a network to learn from")
    return f"Likely why {first.name} is better: {'; '.join(told)}."


_FEW_STEPS = 2_000


def _season(network: keras.Model) -> str:
    """Returns words on the season that the network reads, with a space before them."""
    if network.name != "forecaster" or len(network.inputs[-1].shape) < 3:
        return ""
    steps = network.get_layer("season").season_steps
    return f" It also reads what was {steps:,} steps before."


class Fault(NamedTuple):
    """Steps [start, end) of a fault, the name of its series, and its kind."""

    series: str
    start: int
    end: int
    kind: str


class Tally(NamedTuple):
    """Faults of one kind: their number, the number found, and the delays of these in steps."""

    faults: int
    found: int
    delays: list[int]


def faults_of_set(name: str, collection: series.Collection) -> list[Fault]:
    """Returns the faults of a TFDS set's test split; none if it does not name them.

    Args:
        name: `config.data`; "" for the embedded set.
        collection: as `data.load` read it.
    """
    builder = named_sets.prepare(name or data.DEFAULT)
    if "faults" not in builder.info.features:
        return []
    offsets = {one.name: one.validation_end for one in collection.series}
    found = []
    for example in builder.as_dataset(split="test", shuffle_files=False).as_numpy_iterator():
        title, faults = example["series"].decode(), example["faults"]
        for kind, start, end in zip(faults["kind"], faults["start"], faults["end"], strict=True):
            first = offsets[title] + int(start)
            found.append(Fault(title, first, offsets[title] + int(end), kind.decode()))
    return found


def tally(
    faults: list[Fault], collection: series.Collection, detection: detections.Detection
) -> dict[str, Tally]:
    """Counts the faults by kind, in the order of their names."""
    alarms = {one.name: each for one, each in zip(collection.series, detection.alarms, strict=True)}
    counted = {}
    for kind in sorted({fault.kind for fault in faults}):
        of_kind = [fault for fault in faults if fault.kind == kind]
        late = [
            delay + detection.steps_behind
            for fault in of_kind
            for delay in measures.delays([(fault.start, fault.end)], alarms[fault.series])
        ]
        counted[kind] = Tally(len(of_kind), len(late), late)
    return counted


def alarms(metrics: Mapping[str, Any]) -> report.Table:
    """Delays and rates of the model and of the baselines."""
    rows = []
    for standing in comparison.standings(metrics):
        of = metrics["test"] if standing.is_model else metrics["baselines"][standing.name]
        cells = [comparison.number(of[each]) if each in of else "none found" for each in _ALARMS]
        rows.append([standing.name, *cells])
    return report.Table(
        "Alarms, and how they relate to the labelled events.",
        ["", *map(comparison.words, _ALARMS)],
        rows,
    )


def methods(measured: Measured, config: configs.Config) -> report.Table:
    """Returns all four ways to a threshold, on this model's scores."""
    collection = measured.collection
    scores = [each.scores for each in measured.scored]
    valid = [each.valid for each in measured.scored]
    rows = []
    for method in ("alarm_budget", "peaks_over_threshold", "quantile", "dynamic"):
        settings = dataclasses.replace(config.threshold, method=method)
        changed = dataclasses.replace(config, threshold=settings)
        found = detections.detect(collection, changed, scores, valid)
        counts = detections.event_counts(collection, found)
        observed = detections.metrics(collection, found)["alarms_per_week"]
        rows.append(
            [
                words(method) + (", used" if method == config.threshold.method else ""),
                comparison.number(found.threshold.value),
                comparison.number(found.threshold.expected_alarms_per_week),
                comparison.number(observed),
                f"{counts.found_events} of {counts.events}",
                f"{counts.false_alarms}",
            ]
        )
    return report.Table(
        "The ways to a threshold, each fitted on this model's validation scores: the alarms a week "
        "that it expected, and those of the test part, where the anomalies add theirs.",
        ["", "threshold", "expected a week", "in the test part", "events found", "false alarms"],
        rows,
    )


def by_kind(measured: Measured) -> list[report.Block]:
    """Returns the faults of each kind that the model and the baselines found."""
    if not measured.faults:
        return []
    faults, collection = list(measured.faults), measured.collection
    detectors = {comparison.MODEL: measured.model, **measured.baselines}
    counted = {name: tally(faults, collection, each) for name, each in detectors.items()}
    rows = [
        [kind, f"{of_model.faults}", *(f"{each[kind].found}" for each in counted.values())]
        for kind, of_model in counted[comparison.MODEL].items()
    ]
    return [
        report.Table(
            "Faults that were found, by their kind. An alarm that follows a fault's end found "
            "nothing; false alarms stand in the table above.",
            ["", "there are", *detectors],
            rows,
        )
    ]


def by_series(measured: Measured) -> list[report.Block]:
    """Returns VUS-PR of each of several series beside the baselines."""
    of_model = detections.vus_pr_by_series(measured.collection, measured.model)
    if len(of_model) < 2:
        return []
    others = {
        name: detections.vus_pr_by_series(measured.collection, each)
        for name, each in measured.baselines.items()
    }
    rows = [
        [name, *(comparison.number(each[name]) for each in (of_model, *others.values()))]
        for name in list(of_model)[:_MOST_SERIES]
    ]
    best = sum(
        value >= max(each[name] for each in others.values()) for name, value in of_model.items()
    )
    return [
        report.Table(
            f"VUS-PR by series; this model is best in {best} of {len(of_model)}.",
            ["", comparison.MODEL, *others],
            rows,
        )
    ]


def by_level(measured: Measured) -> list[report.Block]:
    """Returns the alarms with scores brought to one level, series by series, and without."""
    if not measured.alike:
        return []
    detectors = {comparison.MODEL: measured.model, **measured.baselines}
    rows = []
    for name, plain in measured.alike.items():
        by, without = (
            detections.event_counts(measured.collection, each) for each in (detectors[name], plain)
        )
        rows.append([name, *map(comparison.number, (by.f1, without.f1)),
                     f"{by.false_alarms}", f"{without.false_alarms}"])  # fmt: skip
    return [
        report.Table(
            "Scale and level by series: each series is scaled by its own train part, by the model "
            "and the baselines alike, and its scores are divided by their usual height in its "
            "validation part. Beside it the same scores with one threshold as they come.",
            ["", "event F1", "as they come", "false alarms", "as they come "],
            rows,
        )
    ]


def words(method: str) -> str:
    """Returns a method of the threshold as a person writes it."""
    return {
        "alarm_budget": "an alarm budget",
        "peaks_over_threshold": "peaks over threshold",
        "quantile": "a quantile",
        "dynamic": "dynamic thresholds",
    }[method]


def narrow(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the metrics with those of the baselines that fit side by side."""
    kept = {
        name: {each: scores[each] for each in _SCORES}
        for name, scores in metrics["baselines"].items()
    }
    return {**metrics, "baselines": kept}
