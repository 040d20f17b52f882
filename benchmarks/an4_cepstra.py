"""Words of 84 people (CMU AN4) from cepstra: the network, decoding and language model of the task.

The data are cepstra and no sound, so the task's command cannot read them; everything after the
features is the task's own. Ten speakers are tested, none of whom trains; the validation part is
taken from train by speaker. Published on the same 130 utterances, from sound: word error rate 9.57
(deepspeech.pytorch V3.0, greedy) and 9.2 (ESPnet2, transformer with a language model).

    python benchmarks/an4_cepstra.py FOLDER [--steps 3000 --units 256 --layer bilstm --seed 0]

FOLDER holds train.npz, train.tsv, test.npz and test.tsv: `cepstra` [all frames, 13], `frames` of
each utterance, and lines of utterance, speaker, frames and text. Two frames of 10 ms side by side
are one frame of features. With `--run`, an interrupted training goes on.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np

from apps.speech_to_text import config as configs
from apps.speech_to_text import (
    data,
    language_model,
    measures,
    model,
    scoring,
    trained_model,
    transcripts,
    utterances,
)
from apps.suite.data import division
from apps.suite.sequences import ragged
from apps.suite.sounds import feature_cache
from apps.suite.sounds.config import AugmentationConfig, FeatureConfig
from apps.suite.training import fit, optimizer

VALIDATION_SPEAKERS = 8
COEFFICIENTS = 13
STACKED = 2  # frames of 10 ms that are one frame of features


def read(folder: Path, name: str) -> tuple[list[utterances.Utterance], list[np.ndarray]]:
    """Utterances of a part and their cepstra, less the mean of each utterance."""
    with (folder / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    with np.load(folder / f"{name}.npz") as held:
        cuts = np.cumsum(held["frames"])[:-1]
        cepstra = np.split(held["cepstra"].astype(np.float32), cuts)
    settings = configs.TextConfig()
    said = [
        utterances.Utterance(
            row["utterance"], transcripts.normalised(row["text"], settings), row["speaker"]
        )
        for row in rows
    ]
    return said, [stacked(each - each.mean(axis=0)) for each in cepstra]


def stacked(cepstra: np.ndarray) -> np.ndarray:
    """Puts neighbouring frames side by side; the last frame is repeated where one is missing."""
    count = -(-len(cepstra) // STACKED)
    padded = np.pad(cepstra, ((0, count * STACKED - len(cepstra)), (0, 0)), mode="edge")
    return padded.reshape(count, STACKED * COEFFICIENTS)


def examples(
    said: Sequence[utterances.Utterance], cepstra: Sequence[np.ndarray], alphabet: tuple[str, ...]
) -> data.Examples:
    """Utterances as the task's batches take them."""
    numbers = np.arange(len(said), dtype=np.int32)
    starts = ragged.starts_of(np.array([len(each) for each in cepstra]))
    held = feature_cache.FeatureSet(np.concatenate(cepstra), starts, numbers * 0, numbers)
    part = data.Part(tuple(said), (), None)  # type: ignore[arg-type]
    return data.examples(held, part, alphabet)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="of the data set")
    parser.add_argument("--steps", type=int, default=3_000, help="(default %(default)s)")
    parser.add_argument("--units", type=int, default=256, help="(default %(default)s)")
    parser.add_argument("--layer", default="bilstm", help="(default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    parser.add_argument("--run", type=Path, help="folder that keeps the training's checkpoints")
    options = parser.parse_args(arguments)
    began, processor = time.monotonic(), time.process_time()
    learned_said, learned_cepstra = read(options.folder, "train")
    tested_said, tested_cepstra = read(options.folder, "test")
    speakers = division.in_drawn_order({each.speaker for each in learned_said}, options.seed)
    held_out = set(speakers[:VALIDATION_SPEAKERS])
    every = max(1, options.steps // 20)
    config = dataclasses.replace(
        configs.PRESETS["default"],
        seed=options.seed,
        features=FeatureConfig(
            kind="mfcc", coefficients=STACKED * COEFFICIENTS, hop_milliseconds=10.0 * STACKED
        ),
        augmentation=AugmentationConfig(
            copies=0, time_masks=2, highest_time_mask_frames=8, highest_band_mask=2
        ),
        model=configs.ModelConfig(
            layer=options.layer, units=options.units, convolution_filters=128, dropout=0.4
        ),
        training=configs.TrainingConfig(
            batch_size=16, steps=every * 20, steps_per_checkpoint=every
        ),
    )
    alphabet = transcripts.alphabet_of(learned_said, config.text, str(options.folder))
    sides: dict[bool, list[int]] = {False: [], True: []}
    for at, each in enumerate(learned_said):
        sides[each.speaker in held_out].append(at)
    parts = [
        examples([learned_said[at] for at in rows], [learned_cepstra[at] for at in rows], alphabet)
        for rows in sides.values()
    ]
    tested = examples(tested_said, tested_cepstra, alphabet)
    mean, variance = feature_cache.statistics(parts[0].features)
    fit.seed_everything(config.seed)
    network = model.compiled(
        model.build(config, len(alphabet), len(mean), mean, variance),
        optimizer.optimizer(config.training),
        config,
        len(parts[0].labels) / len(sides[False]),
    )
    validation = scoring.Validation(network, parts[1], alphabet)
    with tempfile.TemporaryDirectory() as place:
        folder = options.run or Path(place)
        names = ("checkpoints", "tensorboard")
        for name in names:
            (folder / name).mkdir(parents=True, exist_ok=True)
        fit.fit(
            network,
            lambda first_step: data.batches(parts[0], config, np.asarray(mean), first_step),
            steps=config.training.steps,
            steps_per_checkpoint=every,
            folder=SimpleNamespace(
                history_file=folder / "history.csv", **{name: folder / name for name in names}
            ),
            save_best=lambda best: best.save(folder / "model.keras"),
            validate=lambda _: validation(),
        )
        network = keras.models.load_model(folder / "model.keras", compile=False)
    texts = [learned_said[at].text for at in sides[False]]
    language = language_model.train(config, list(dict.fromkeys(texts)), alphabet)
    trained = trained_model.TrainedModel(network, language, alphabet, config)
    recogniser = scoring.Recogniser(trained)
    of_validation = [learned_said[at].text for at in sides[True]]
    weights = scoring.chosen_weights(scoring.answers(recogniser, parts[1]), of_validation)
    found = scoring.answers(recogniser, tested)
    truth = [each.text for each in tested_said]
    ways = {
        "greedy": found.greedy,
        "beam": found.beam,
        f"language model, weights {weights}": found.chosen(*weights),
    }
    print(f"\n{len(truth)} utterances, {sum(len(text.split()) for text in truth)} words")
    for name, said in ways.items():
        scores = measures.scores(truth, said)
        print(
            f"{name}: word error rate {scores['word_error_rate']:.2%}, "
            f"character error rate {scores['character_error_rate']:.2%}"
        )
    used = time.process_time() - processor
    print(f"{time.monotonic() - began:.0f} s, {used:.0f} s of {os.cpu_count()} processors")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
