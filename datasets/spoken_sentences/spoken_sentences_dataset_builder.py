"""Spoken sentences of a home and a phone in many voices, made with espeak-ng."""

import dataclasses
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

_FOLDER = Path(__file__).parent
_VOICE_FOLDER = _FOLDER.with_name("spoken_commands")  # whose speaker, rooms and voices these are
_PARTS = ("train", "validation", "test")


def _module(file: Path) -> Any:
    """A file of a builder as a module: the folders are not packages."""
    spec = importlib.util.spec_from_file_location(f"{file.parent.name}_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


grammar = _module(_FOLDER / "grammar.py")
voices = _module(_VOICE_FOLDER / "voices.py")


@dataclasses.dataclass(kw_only=True)
class SpokenSentencesConfig(tfds.core.BuilderConfig):
    """Sentences of each split, and its number of voices, the first ones; 0 = all."""

    sentences: dict[str, int]
    voices: int = 0


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a sentence; nothing is downloaded. The same recordings every time."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "espeak-ng 1.52 of espeakng-loader 0.2.4."}
    BUILDER_CONFIGS: ClassVar[list[SpokenSentencesConfig]] = [
        SpokenSentencesConfig(
            name="full",
            description="7,200 sentences, 66 voices.",
            sentences={"train": 6_000, "validation": 600, "test": 600},
        ),
        SpokenSentencesConfig(
            name="small",
            description="160 sentences, 12 voices: for tests.",
            sentences={"train": 120, "validation": 20, "test": 20},
            voices=4,
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "audio": tfds.features.Audio(
                        dtype=np.int16, sample_rate=16_000, encoding=tfds.features.Encoding.BYTES
                    ),
                    "text": tfds.features.Text(),
                    "voice": tfds.features.Text(),
                    "accent": tfds.features.Text(),
                    "noise": tfds.features.Text(),
                    "snr_db": np.float32,
                }
            ),
            homepage="https://github.com/espeak-ng/espeak-ng",
            license="Sounds made with espeak-ng, a program under GPL-3.0-or-later; see the README",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the voices come with an installed package
        return {part: self._generate_examples(part) for part in _PARTS}

    def _generate_examples(self, part: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (index in the plan, example)."""
        clips = list(_plan(self.builder_config, part))
        for index, (clip, samples) in enumerate(zip(clips, _rendered(clips), strict=True)):
            yield (
                index,
                {
                    "audio": np.array(samples, dtype=object),  # bytes, as `encoding` would have it
                    "text": clip["word"]["text"].rstrip("!?."),
                    "voice": clip["word"]["variant"],
                    "accent": clip["word"]["accent"],
                    "noise": clip["noise"],
                    "snr_db": clip["snr_db"],
                },
            )


def _plan(config: SpokenSentencesConfig, part: str) -> Iterator[dict[str, Any]]:
    """Returns the ingredients of each recording of a part, as `render_sentences.py` reads it."""
    seed = hashlib.sha256(f"spoken_sentences/{config.name}/{part}".encode()).digest()
    random = np.random.default_rng(list(seed))
    speakers = voices.VOICES[part].split()[: config.voices or None]
    accents, noises = voices.ACCENTS.split(), voices.NOISES.split()
    others = voices.OTHER_WORDS[part].split()
    texts = grammar.sentences(part, config.sentences[part], random)
    turns = random.permutation(len(texts))  # so that every voice says as many sentences

    def spoken(text: str, variant: str) -> dict[str, Any]:
        return {
            "text": text,
            "accent": str(random.choice(accents)),
            "variant": variant,
            "rate": int(random.integers(150, 206)),
            "pitch": int(random.integers(25, 76)),
            "pitch_range": int(random.integers(20, 81)),
        }

    for text, turn in zip(texts, turns, strict=True):
        noise = str(random.choice(noises))
        crowd = 6 if noise == "babble" else 0
        yield {
            "seed": int(random.integers(2**63)),
            "noise": noise,
            "word": spoken(
                text + str(random.choice(["", ".", "!", "?"])), speakers[turn % len(speakers)]
            ),
            "margins": [float(random.uniform(0.1, 0.3)), float(random.uniform(0.25, 0.45))],
            "is_wet": bool(random.random() < 0.7),
            "snr_db": float(random.uniform(5.0, 40.0)),
            "babble": [
                spoken(str(random.choice(others)), str(random.choice(speakers)))
                for _ in range(crowd)
            ],
        }


def _rendered(clips: list[dict[str, Any]]) -> Iterator[bytes]:
    """The recordings' samples in order, little-endian int16."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder, "plan.jsonl")
        plan.write_text("".join(json.dumps(clip) + "\n" for clip in clips), encoding="utf-8")
        with subprocess.Popen(
            [sys.executable, str(_FOLDER / "render_sentences.py"), str(plan)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_VOICE_FOLDER)},
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            for _ in clips:
                head = process.stdout.read(4)
                size = 2 * int.from_bytes(head, "little")
                content = process.stdout.read(size)
                if len(head) < 4 or len(content) < size:
                    lines = process.stderr.read().decode(errors="replace").strip().splitlines()
                    raise RuntimeError(lines[-1] if lines else "espeak-ng stopped")
                yield content
