"""Spoken command words in many voices, made with espeak-ng from the espeakng-loader package."""

import dataclasses
import hashlib
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds


def _neighbour(name: str) -> Any:
    """A file beside this one as a module: the folder is not a package."""
    file = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"{file.parent.name}_{name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_COMMANDS = "yes no up down left right on off stop go forward backward"
voices = _neighbour("voices")


@dataclasses.dataclass(kw_only=True)
class SpokenCommandsConfig(tfds.core.BuilderConfig):
    """Clips of each command, of `unknown` and of `silence` by split; the first so many voices."""

    commands: tuple[str, ...]
    clips: dict[str, tuple[int, int, int]]
    voices: dict[str, int]
    other_words: dict[str, int]


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a clip of a second; nothing is downloaded. The same clips every time."""

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "espeak-ng 1.52 of espeakng-loader 0.2.4.",
        "1.1.0": "More words that are no commands.",
    }
    BUILDER_CONFIGS: ClassVar[list[SpokenCommandsConfig]] = [
        SpokenCommandsConfig(
            name="full",
            description="Twelve commands, 66 voices, 9,500 clips.",
            commands=tuple(_COMMANDS.split()),
            clips={"train": (430, 1220, 420), "validation": (90, 180, 90), "test": (90, 180, 90)},
            voices={part: len(names.split()) for part, names in voices.VOICES.items()},
            other_words={part: len(words.split()) for part, words in voices.OTHER_WORDS.items()},
        ),
        SpokenCommandsConfig(
            name="small",
            description="Four commands, eight voices, 300 clips: for tests.",
            commands=("yes", "no", "stop", "go"),
            clips={"train": (30, 40, 20), "validation": (10, 12, 8), "test": (10, 12, 8)},
            voices={"train": 4, "validation": 2, "test": 2},
            other_words={"train": 8, "validation": 3, "test": 3},
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "audio": tfds.features.Audio(
                        dtype=np.int16, sample_rate=16_000, encoding=tfds.features.Encoding.BYTES
                    ),
                    "label": tfds.features.ClassLabel(
                        names=[*self.builder_config.commands, "silence", "unknown"]
                    ),
                    "voice": tfds.features.Text(),
                    "accent": tfds.features.Text(),
                    "word": tfds.features.Text(),
                }
            ),
            homepage="https://github.com/espeak-ng/espeak-ng",
            license="Sounds made with espeak-ng, a program under GPL-3.0-or-later; see the README",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the voices come with an installed package
        return {part: self._generate_examples(part) for part in voices.VOICES}

    def _generate_examples(self, part: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (index in the plan, example)."""
        clips = list(_plan(self.builder_config, part))
        for index, (clip, samples) in enumerate(zip(clips, _rendered(clips), strict=True)):
            word = clip["word"] or {"text": "", "variant": "", "accent": ""}
            yield (
                index,
                {
                    # Bytes, as `encoding` above would have them: TFDS stores an array of an Audio
                    # feature as it comes, and as int16 a sample takes up to ten bytes on disk.
                    "audio": np.array(samples, dtype=object),
                    "label": clip["label"],
                    "voice": word["variant"],
                    "accent": word["accent"],
                    "word": word["text"].rstrip("!?."),
                },
            )


def _plan(config: SpokenCommandsConfig, part: str) -> Iterator[dict[str, Any]]:
    """What each clip of a part is made of, as `render_clips.py` reads it, and its label."""
    seed = hashlib.sha256(f"spoken_commands/{config.name}/{part}".encode()).digest()
    random = np.random.default_rng(list(seed))
    speakers = voices.VOICES[part].split()[: config.voices[part]]
    others = voices.OTHER_WORDS[part].split()[: config.other_words[part]]
    of_command, of_unknown, of_silence = config.clips[part]

    def spoken(text: str, variant: str) -> dict[str, Any]:
        return {
            "text": text + random.choice(["", ".", "!", "?"]),
            "accent": str(random.choice(voices.ACCENTS.split())),
            "variant": variant,
            "rate": int(random.integers(145, 235)),
            "pitch": int(random.integers(25, 76)),
            "pitch_range": int(random.integers(20, 81)),
        }

    texts = [(word, [word] * of_command) for word in config.commands]
    texts.append(("unknown", [others[index % len(others)] for index in range(of_unknown)]))
    texts.append(("silence", [""] * of_silence))
    for label, words in texts:
        turns = random.permutation(len(words))  # so that every voice says every word
        for word, turn in zip(words, turns, strict=True):
            noise = str(random.choice(voices.NOISES.split()))
            crowd = 6 if noise == "babble" else 0
            yield {
                "label": label,
                "seed": int(random.integers(2**63)),
                "noise": noise,
                "word": spoken(word, speakers[turn % len(speakers)]) if word else None,
                "babble": [
                    spoken(str(random.choice(others)), str(random.choice(speakers)))
                    for _ in range(crowd)
                ],
            }


def _rendered(clips: list[dict[str, Any]]) -> Iterator[bytes]:
    """The clips' samples in order, 16,000 little-endian int16 each."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder, "plan.jsonl")
        plan.write_text("".join(json.dumps(clip) + "\n" for clip in clips), encoding="utf-8")
        program = Path(__file__).with_name("render_clips.py")
        with subprocess.Popen(
            [sys.executable, str(program), str(plan)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            for _ in clips:
                content = process.stdout.read(32_000)
                if len(content) < 32_000:
                    lines = process.stderr.read().decode(errors="replace").strip().splitlines()
                    raise RuntimeError(lines[-1] if lines else "espeak-ng stopped")
                yield content
