"""What a trained run is worth on its test part: `python -m apps.speech_commands.evaluate`."""

from __future__ import annotations

import dataclasses
import shlex
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps import comparison, configuration, errors
from apps import run_folder as run_folders
from apps.speech_commands import config as configs

if typing.TYPE_CHECKING:
    from apps.speech_commands import recordings, stream_card, trained_model

TASK = "speech_commands"
_TITLES = {"train": "training", "validation": "validation", "test": "test"}


@dataclasses.dataclass(frozen=True)
class Options:
    """Measure a trained run on its test clips and on streams of them, and write its report."""

    run: Path = Path("runs") / TASK
    """Folder of the run."""


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, thresholds.json, plots and report.html of a trained run.

    Returns the metrics. The test clips are answered once, by the model and by the baselines alike,
    and again with noise; a causal model also hears them as streams, with thresholds that were
    chosen on streams of the validation clips. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(Path(run_folder), TASK, configs.Config)
    # TensorFlow takes seconds to import: only now, so that refusals are there at once.
    import numpy as np

    from apps.speech_commands import (
        baselines,
        data,
        feature_cache,
        measures,
        model_card,
        noisy_clips,
        scoring,
        trained_model,
    )
    from apps.speech_commands.clip_probabilities import ClipProbabilities

    trained = trained_model.read(folder)
    corpus, config = data.load(folder.config), folder.config
    if corpus.fingerprint != folder.data["fingerprint"]:
        raise errors.UserError(
            f"{corpus.source}: changed since the training of {folder.path}; "
            "restore it, or train again"
        )
    parts = {"train": corpus.train, "validation": corpus.validation, "test": corpus.test}
    features = {
        name: feature_cache.extracted(
            part,
            corpus.label_names,
            config,
            fingerprint=corpus.fingerprint,
            title=_TITLES[name],
            copies=config.augmentation.copies if name == "train" else 0,
            noise=corpus.noise if name == "train" else (),
        )
        for name, part in parts.items()
    }
    labels = features["test"].labels
    print(f"answering {len(labels):,} test clips", flush=True)
    probabilities = scoring.probabilities(trained.model, features["test"])
    if not np.isfinite(probabilities).all():
        raise errors.UserError(
            f"{folder.model_file}: its answers to the test part are not finite: the training "
            "diverged; train again with a lower training.learning_rate"
        )
    print("answering them in noise", flush=True)
    rate, ask = config.audio.sample_rate_hz, ClipProbabilities(trained.model, config)
    noise = noisy_clips.Noise(corpus.test, rate)
    by_noise = noisy_clips.accuracies(ask, corpus.test, labels, noise, rate, config.seed)
    streams, on_validation = None, 0.0
    if config.streams:
        print("listening to streams of the clips", flush=True)
        streams, on_validation = _streams(folder, trained, corpus)
    print("training the baselines", flush=True)
    of_baselines = baselines.evaluate(
        features["train"], features["validation"], features["test"], len(corpus.label_names), config
    )
    speakers = measures.by_speaker(corpus.test.recordings, labels, probabilities)
    metrics = measures.metrics(
        corpus.split,
        {name: len(part.recordings) for name, part in parts.items()},
        labels,
        probabilities,
        {comparison.words(name): each for name, each in of_baselines.items()},
        by_noise,
        speakers,
        streams
        and measures.StreamScores(
            streams.counts, streams.heard.accuracy, streams.heard.clip_accuracy, on_validation
        ),
    )
    measured = model_card.Measured(
        labels=labels,
        probabilities=probabilities,
        speakers=speakers,
        by_noise=by_noise,
        noise=noise.told,
        streams=streams,
        parameters=trained.model.count_params(),
    )
    model_card.write(folder, corpus, metrics, measured)
    folder.write_metrics(metrics)
    _tell(folder, metrics)
    return metrics


def _streams(
    folder: run_folders.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    corpus: recordings.Corpus,
) -> tuple[stream_card.Streams, float]:
    """Chooses the thresholds on validation, and writes them; what they give on test.

    Returns with it the false accepts an hour on validation.
    """
    from apps.speech_commands import (
        detection_measures,
        listener,
        stream_card,
        stream_scores,
        thresholds,
    )

    config, names = folder.config, corpus.label_names
    timing = listener.Listener(trained.model, config).timing(config.detection)
    validation, test = (
        stream_scores.hear(trained.model, config, names, part, config.seed)
        for part in (corpus.validation, corpus.test)
    )
    allowed = config.detection.false_accepts_per_hour
    chosen = thresholds.choose(validation.streams, names, timing, allowed)
    thresholds.write(folder.path, chosen)
    of_validation, counts = (
        detection_measures.count_all(chosen, heard.streams, names, timing)
        for heard in (validation, test)
    )
    curve = detection_measures.curve(test.streams, names, timing)
    found = stream_card.Streams(test, curve, counts, chosen, timing)
    return found, of_validation.false_accepts_per_hour


def _tell(folder: run_folders.RunFolder[configs.Config], metrics: dict[str, Any]) -> None:
    print(f"\n{comparison.text_table(metrics)}\n\n{comparison.verdict(metrics)}")
    test = metrics["test"]
    if "streaming_accuracy" in test:
        print(
            f"In {test['stream_hours']:.2f} hours of streams: "
            f"{100 * test['streaming_accuracy']:.1f} % right at each clip's end "
            f"({100 * test['clip_accuracy_of_the_streams']:.1f} % as clips), "
            f"{100 * test['miss_rate']:.1f} % of the commands missed at "
            f"{test['false_accepts_per_hour']:.1f} false accepts an hour."
        )
    print(f"\nreport:  {folder.report_file}")
    run, example = shlex.quote(str(folder.path)), "datasets/spoken_commands/dummy_data/yes_stop.wav"
    print(f"next:    python -m apps.{TASK}.predict --run {run} {example}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return configuration.run_command(
        TASK, "evaluate", Options, lambda options: evaluate(options.run), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
