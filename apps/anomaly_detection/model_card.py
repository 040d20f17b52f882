"""The words of anomaly detection's report: what was measured, how, and what it is good for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import keras

from apps import plots, report, run_folder
from apps.anomaly_detection import alarm_examples, report_tables
from apps.anomaly_detection import config as configs

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
    "alarms per week": "Alarms in the test part, beside what the threshold was to give by the "
    "validation part.",
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
    "Labels say where somebody saw, or made, something unusual. An alarm at what is unusual and "
    "harmless, or at what nobody noticed, counts as false here.",
    "The threshold holds for data that behave as the validation part did. After a lasting change "
    "train again.",
    "One run with one seed, and few events: a difference of one event may be chance.",
)


def narrow(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics with those of the baselines that fit side by side."""
    kept = {
        name: {each: scores[each] for each in _SCORES}
        for name, scores in metrics["baselines"].items()
    }
    return {**metrics, "baselines": kept}


def write(
    folder: run_folder.RunFolder[configs.Config],
    metrics: Mapping[str, Any],
    measured: report_tables.Measured,
) -> None:
    """Draws the plots, and writes report.html."""
    config, collection = folder.config, measured.collection
    threshold = measured.model.threshold
    columns = f"{collection.scored_count} column{'s' if collection.scored_count > 1 else ''}"
    card = report.Card(
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
            **({"Notes": " ".join(collection.notes)} if collection.notes else {}),
        },
        results=[
            plots.model_and_baselines(folder.plots, narrow(metrics), "VUS-PR"),
            report_tables.alarms(metrics),
            report.Paragraph(
                f"Every detector's threshold was found by {report_tables.words(threshold.method)} "
                "on the scores of its validation part, without a label, and alarms became events "
                "in the same way. Random scores are uniform noise: a measure that they do well in "
                "says nothing."
            ),
            report_tables.methods(measured, config),
            *report_tables.by_kind(measured),
            *report_tables.by_series(measured),
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
        serving=_serving(folder),
        presets=configs.PRESETS,
    )
    report.render(folder, card, narrow(metrics))


def _season(network: keras.Model) -> str:
    """What the network reads beside the series so far, with a space before it."""
    if network.name != "forecaster" or len(network.inputs[-1].shape) < 3:
        return ""
    steps = network.get_layer("season").season_steps
    return f" It also reads what was {steps:,} steps before."


def _serving(folder: run_folder.RunFolder[configs.Config]) -> list[report.Block]:
    run, task = shlex.quote(str(folder.path)), folder.task
    return [
        report.Commands(
            "At the command line:",
            f"python -m apps.{task}.predict --run {run} readings.csv --events events.csv "
            "--plot alarms.png",
        ),
        report.Commands(
            "As a service, with stock TensorFlow Serving:",
            f"python -m apps.{task}.export --run {run} --to exports\n"
            f"docker run --rm -p 8501:8501 -e MODEL_NAME={task} \\\n"
            f'    -v "$PWD/exports/{task}:/models/{task}" tensorflow/serving\n'
            f"curl -X POST localhost:8501/v1/models/{task}:predict -d @request.json",
        ),
        report.Paragraph(f"All inputs and signatures are described in apps/{task}/README.md."),
    ]
