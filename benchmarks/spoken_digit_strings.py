"""Strings of spoken digits of six people (Free Spoken Digit Dataset): a voice never heard.

The clips of one person, each a digit, are joined to strings of 3 to 7 with silences of 50 to 300
ms between them: "three one four". One speaker is tested, and the others train; recordings 0 to 4
of their digits make the strings that choose checkpoint and weights. Each clip of the test part
stands in one string, but for one or two that are left. The run is the task's own command on a csv
file; its folder stays in `--runs`, and an interrupted one goes on by the same command. What is not
an option here is given to the training, such as `--training.steps 1000`; `SETTINGS` are where
nothing else is said: five voices are few, so they are altered more than by default.

    python benchmarks/spoken_digit_strings.py FOLDER_OF_RECORDINGS --speaker theo
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8_000
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
COUNTS = {"train": 2_500, "validation": 150}  # strings; the test part has each clip once
SETTINGS = {
    "model.layer": "bilstm",
    "model.units": 128,
    "model.dropout": 0.3,
    "augmentation.highest_drawn_warp": 0.15,
    "augmentation.highest_drawn_tempo_change": 0.15,
    "augmentation.time_masks": 2,
    "training.steps": 2_000,
    "training.steps_per_checkpoint": 200,
}
_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<number>\d+)\.wav")


def clips(folder: Path, tested: str) -> dict[str, dict[str, list[tuple[str, np.ndarray]]]]:
    """Words and samples of all clips, by part and speaker."""
    found: dict[str, dict[str, list[tuple[str, np.ndarray]]]] = {}
    for file in sorted(folder.glob("*.wav")):
        match = _NAME.fullmatch(file.name)
        if match is None:
            continue
        is_held_out = int(match["number"]) < 5
        part = "validation" if is_held_out else "train"
        part = "test" if match["speaker"] == tested else part
        samples, _ = soundfile.read(file, dtype="float32")
        of_part = found.setdefault(part, {})
        of_part.setdefault(match["speaker"], []).append((DIGITS[int(match["digit"])], samples))
    if set(found) != {"train", "validation", "test"}:
        raise SystemExit(f"{folder}: has no recordings like 0_{tested}_0.wav beside others'")
    return found


def strings(
    by_speaker: dict[str, list[tuple[str, np.ndarray]]], count: int, draw: np.random.Generator
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Speaker, text and samples of so many strings; of 0, of as many as have each clip once."""
    speakers = sorted(by_speaker)
    left = {name: list(draw.permutation(len(by_speaker[name]))) for name in speakers}
    made = 0
    while made < count if count else any(len(rest) > 2 for rest in left.values()):
        speaker = speakers[made % len(speakers)]
        length = int(draw.integers(3, 8))
        if len(left[speaker]) < length and count:
            left[speaker] = list(draw.permutation(len(by_speaker[speaker])))
        chosen = [left[speaker].pop() for _ in range(min(length, len(left[speaker])))]
        words, pieces = [], []
        for at in chosen:
            word, samples = by_speaker[speaker][at]
            level = np.sqrt(np.mean(np.square(samples[:80]))) / 4  # of what precedes a digit
            silence = draw.normal(0, level + 1e-5, round(draw.uniform(0.05, 0.3) * RATE_HZ))
            pieces += [silence.astype(np.float32), samples]
            words.append(word)
        quiet = draw.normal(0, 1e-4, round(0.3 * RATE_HZ)).astype(np.float32)
        yield speaker, " ".join(words), np.concatenate([quiet[::3], *pieces, quiet])
        made += 1


def write(folder: Path, tested: str, to: Path, seed: int) -> Path:
    """Writes the strings and a list of them, which it returns; leaves a finished one alone."""
    listed = to / "strings.csv"
    if listed.is_file():
        return listed
    to.mkdir(parents=True, exist_ok=True)
    rows, draw = [], np.random.default_rng(seed)
    for part, by_speaker in clips(folder, tested).items():
        for number, (speaker, text, samples) in enumerate(
            strings(by_speaker, COUNTS.get(part, 0), draw)
        ):
            name = f"{part}_{number:05d}.wav"
            soundfile.write(to / name, samples, RATE_HZ, subtype="PCM_16")
            rows.append([name, text, speaker, part])
    with listed.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([["path", "text", "speaker", "part"], *rows])
    return listed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("recordings", type=Path, help="folder of the data set's wav files")
    parser.add_argument("--speaker", default="theo", help="who is tested (default %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs/spoken_digit_strings"))
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    options, more = parser.parse_known_args(arguments)  # what is left is for the training
    place = options.runs.resolve() / f"{options.speaker}_seed_{options.seed}"
    data = write(options.recordings, options.speaker, place / "strings", options.seed)
    run = place / "run"
    if not (run / "metrics.json").is_file():
        command = [sys.executable, "-m", "apps.speech_to_text.train", "--data", str(data)]
        command += ["--run", str(run), "--audio.sample_rate_hz", str(RATE_HZ)]
        command += ["--seed", str(options.seed)]
        given = {word.split("=")[0] for word in more}
        for name, value in SETTINGS.items():
            if f"--{name}" not in given:
                command += [f"--{name}", str(value)]
        command += more
        subprocess.run(command, check=True, cwd=Path(__file__).resolve().parents[1])
    test = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["test"]
    print(
        f"{options.speaker}, never heard: word error rate {test['word_error_rate']:.2%}, greedy "
        f"{test['greedy_word_error_rate']:.2%}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
