"""Measures a trained run on its test clips: `python -m apps.speech_commands.evaluate`.

The test clips are answered unaltered and in noise that gets louder. A causal model also hears them
as streams.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from apps.speech_commands import config as configs
from apps.suite.commands import command, progress
from apps.suite.evaluation import comparison, evaluation
from apps.suite.runs import run_folder as run_folders

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.speech_commands import recordings, report, trained_model

TASK = "speech_commands"
EXAMPLE = "datasets/spoken_commands/dummy_data/yes_stop.wav"
EXAMPLE_WORDS = {"yes", "stop"}
"""Words of that recording."""
LEVELS_DB = (20, 10, 5, 0)
"""Signal-to-noise ratios over the active part of a clip."""

_MOST_NOISES = 50
_QUIETEST = 1e-4  # least root mean square of a sound that counts as noise
_TITLES = {"train": "training", "validation": "validation", "test": "test"}


def evaluate(run_folder: Path) -> dict[str, Any]:
    """Writes metrics.json, thresholds.json, plots and report.html of a trained run.

    Returns the metrics. The test clips are answered once, by the model and by the baselines alike,
    and again with noise; a causal model also hears them as streams, with thresholds that were
    chosen on streams of the validation clips. Prints who is better, and what to do next.

    Raises:
        UserError: no trained run, other data than it was trained on, a training that diverged.
    """
    folder = run_folders.open_trained(run_folder, TASK, configs.Config)
    from apps.speech_commands import baselines, data, report, scoring, trained_model
    from apps.suite.evaluation import classification
    from apps.suite.sounds import feature_cache

    run = evaluation.Run(folder, trained_model.read(folder), data.load(folder.config))
    trained, corpus, config = run.trained, run.data, run.config
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
    with progress.working("answering the test clips"):
        probabilities = scoring.probabilities(trained.model, features["test"])
    evaluation.refuse_diverged(folder, probabilities)
    print("answering them in noise", flush=True)
    rate, ask = config.audio.sample_rate_hz, scoring.ClipProbabilities(trained.model, config)
    noise = Noise(corpus.test, rate)
    with progress.working("answering clips in noise"):
        by_noise = noisy_accuracies(ask, corpus.test, labels, noise, rate, config.seed)
    streams, on_validation = None, 0.0
    if config.streams:
        print("listening to streams of the clips", flush=True)
        with progress.working("listening to streams"):
            streams, on_validation = _streams(folder, trained, corpus)
    print("training the baselines", flush=True)
    of_baselines = baselines.evaluate(
        features["train"], features["validation"], features["test"], len(corpus.label_names), config
    )
    speakers = classification.by_group(
        [recording.speaker for recording in corpus.test.recordings], labels, probabilities
    )
    metrics = scoring.metrics(
        corpus.split,
        {name: len(part.recordings) for name, part in parts.items()},
        labels,
        probabilities,
        {comparison.words(name): each for name, each in of_baselines.items()},
        by_noise,
        speakers,
        streams
        and scoring.StreamScores(
            streams.counts, streams.heard.accuracy, streams.heard.clip_accuracy, on_validation
        ),
    )
    measured = report.Measured(
        labels=labels,
        probabilities=probabilities,
        speakers=speakers,
        by_noise=by_noise,
        noise=noise.told,
        streams=streams,
        parameters=trained.model.count_params(),
        example=_example(corpus, config, folder.path),
    )
    card = report.card(folder, corpus, metrics, measured)
    notes = [_streams_note(metrics["test"]) if streams else "", _why(metrics, config)]
    note = "\n".join(filter(None, notes))
    return evaluation.finish(folder, metrics, card, [measured.example], note=note)


def _example(corpus: recordings.Corpus, config: configs.Config, run: Path) -> str:
    """Returns the path of a recording to try first, whose words the model knows.

    A test recording of the user's own files; of a set without files it is written into the run.
    """
    from apps.speech_commands import data, recordings
    from apps.suite.sounds import sound_files

    is_default = corpus.name.partition("/")[0].partition(":")[0] == data.DEFAULT
    if is_default and set(corpus.label_names) >= EXAMPLE_WORDS:
        return EXAMPLE
    test = corpus.test
    no_words = (recordings.SILENCE, recordings.UNKNOWN)
    words = [each.label not in no_words for each in test.recordings]
    index = words.index(True) if True in words else 0
    own = Path(corpus.source)
    file = (own if own.is_dir() else own.parent) / test.recordings[index].name
    if own.exists() and file.is_file():
        return str(file)
    return sound_files.write_example(run, test.waveform(index), config.audio.sample_rate_hz)


def _why(metrics: dict[str, Any], config: configs.Config) -> str:
    """Tells why a baseline wins, where one does."""
    clips = metrics["data"]["examples"]["train"] * (1 + config.augmentation.copies)
    settings = config.training
    passes = settings.steps * settings.batch_size / clips
    return comparison.why(
        metrics,
        f"simpler models need fewer clips and steps; this one learned {settings.steps:,} steps of "
        f"{settings.batch_size} clips, {passes:,.2g} passes over {clips:,} clips and copies",
        "--preset default" if config.preset == "tiny" else "more recordings and training.steps",
    )


def _streams(
    folder: run_folders.RunFolder[configs.Config],
    trained: trained_model.TrainedModel,
    corpus: recordings.Corpus,
) -> tuple[report.Streams, float]:
    """Chooses the thresholds on validation, and writes them.

    Returns what they give on test, and the false accepts an hour on validation.
    """
    from apps.speech_commands import report, scoring, stream_evaluation, streams

    config, names = folder.config, corpus.label_names
    timing = streams.Listener(trained.model, config).timing(config.detection)
    validation, test = (
        scoring.hear(trained.model, config, names, part, config.seed)
        for part in (corpus.validation, corpus.test)
    )
    allowed = config.detection.false_accepts_per_hour
    chosen = stream_evaluation.choose_thresholds(validation.streams, names, timing, allowed)
    stream_evaluation.write_thresholds(folder.path, chosen)
    of_validation, counts = (
        stream_evaluation.count_all(chosen, heard.streams, names, timing)
        for heard in (validation, test)
    )
    curve = stream_evaluation.detection_curve(test.streams, names, timing)
    found = report.Streams(test, curve, counts, chosen, timing)
    return found, of_validation.false_accepts_per_hour


def _streams_note(test: dict[str, Any]) -> str:
    return (
        f"In {test['stream_hours']:.2f} hours of streams: "
        f"{100 * test['streaming_accuracy']:.1f} % right at each clip's end "
        f"({100 * test['clip_accuracy_of_the_streams']:.1f} % as clips), "
        f"{100 * test['miss_rate']:.1f} % of the commands missed at "
        f"{test['false_accepts_per_hour']:.1f} false accepts an hour."
    )


class Noise:
    """Noise for clips: the part's own clips of silence, never heard in training.

    A part without such clips gets pink noise from 50 Hz on.

    Attributes:
        told: where it comes from, in words.
    """

    def __init__(self, part: recordings.Part, sample_rate_hz: int) -> None:
        import numpy as np

        from apps.speech_commands import recordings

        silent = [
            index
            for index, recording in enumerate(part.recordings)
            if recording.label == recordings.SILENCE
        ]
        sounds = (part.waveform(index) for index in silent[:_MOST_NOISES])
        self._rate = sample_rate_hz
        self._sounds = [sound for sound in sounds if np.sqrt(np.mean(sound**2)) > _QUIETEST]
        self.told = "pink noise from 50 Hz on"
        if self._sounds:
            self.told = f"{len(self._sounds)} test clips of silence, which are noise without words"

    def excerpt(self, samples: int, generator: np.random.Generator) -> np.ndarray:
        """Returns samples of noise, float32 [samples]."""
        from apps.speech_commands import stream_evaluation
        from apps.suite.sounds import augmentation

        if self._sounds:
            return augmentation.excerpt(self._sounds, samples, generator)
        return stream_evaluation.pink_noise(samples, self._rate, generator)


def noisy_accuracies(
    ask: Callable[[Iterable[np.ndarray]], np.ndarray],
    part: recordings.Part,
    labels: np.ndarray,
    noise: Noise,
    sample_rate_hz: int,
    seed: int,
) -> dict[int, float]:
    """Returns the accuracy by level of `LEVELS_DB`; the same noise at every level.

    Args:
        ask: probabilities [clips, labels] of waveforms.
        part: its clips.
        labels: int [clips], the right ones.
        noise: the sound to mix in.
        sample_rate_hz: of the clips.
        seed: of the excerpts.
    """
    import numpy as np

    from apps.suite.sounds import augmentation

    def noisy(level: int) -> Iterator[np.ndarray]:
        for index in range(len(part.recordings)):
            clip = part.waveform(index)
            generator = np.random.default_rng([seed, index])
            sound = noise.excerpt(len(clip), generator)
            yield augmentation.mix(clip, sound, level, sample_rate_hz)

    return {
        level: float(np.mean(ask(noisy(level)).argmax(axis=1) == labels)) for level in LEVELS_DB
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit status."""
    return command.evaluate_command(TASK, evaluate, arguments)


if __name__ == "__main__":
    sys.exit(main())
