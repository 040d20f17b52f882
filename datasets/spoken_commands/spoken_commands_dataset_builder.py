"""Spoken command words in many voices, made with espeak-ng from the espeakng-loader package."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

# Lists of names are texts here, split where they are used.
_COMMANDS = "yes no up down left right on off stop go forward backward"
_ACCENTS = "en en-us en-us-nyc en-029 en-gb-scotland en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd"
_NOISES = "white pink brown wind hum machine knocks babble"
# Variants of espeak-ng that sound alike (Gene and Gene2, steph to steph3 and more, by the distance
# of their spectra) stand in one part, or only one of them is taken; robots and whisperers are left
# out. The first of each are those of the small set.
_VOICES = {
    "train": (
        "m1 f3 Diogo aunty m2 f1 shelby linda Alicia anika zac m5 m6 Alex Andy AnxiousAndy Gene "
        "Lee Marco Mario Mike Reed RicishayMax RicishayMax3 Tweaky announcer antonio boris caleb "
        "david ed edward grandpa ian john kaukovalta klatt2 klatt4 marcelo max miguel mike2 "
        "norbert paul pedro quincy sandro travis"
    ),
    "validation": "f4 m4 belinda Andrea Nguyen m8 Storm pablo Jacky",
    "test": "f5 m3 Annie steph grandma gustave iven2 Denis rob",
}
_OTHER_WORDS = {
    "train": (
        "bed bird four one happy house marble tree wow learn visual zero cat two three dog "
        "five six seven eight music paper finger hello tomorrow question apple river mountain "
        "cloud winter coffee bread butter sugar bottle table chair mirror carpet ceiling "
        "corner engine wheel bridge station ticket village castle forest island ocean desert "
        "valley farmer teacher soldier painter brother sister cousin uncle money market "
        "copper iron diamond leather cotton velvet hammer needle basket blanket candle "
        "lantern pencil envelope notebook number answer reason moment morning evening "
        "thunder lightning shadow rabbit tiger horse sheep chicken eagle spider carrot potato "
        "tomato lemon cherry pepper yellow brown green scarlet quickly slowly never always "
        "maybe over under around run jump sing write push pull open close low high road note "
        "snow glass best test sir mess"
    ),
    "validation": (
        "nine window orange garden pilot silver doctor empty hospital camera monday dinner "
        "bicycle turtle planet guitar blue fish shirt stone harbour ladder pocket sunday "
        "kitten cheese rope slow grow west lift start"
    ),
    "test": (
        "water follow ten summer letter purple kitchen animal friday office planter singer "
        "ginger button gold ship skirt bone theatre feather rocket walnut tuesday puppy honey "
        "soap blow hedgehog nest list story fright"
    ),
}


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
            voices={part: len(voices.split()) for part, voices in _VOICES.items()},
            other_words={part: len(words.split()) for part, words in _OTHER_WORDS.items()},
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
        return {part: self._generate_examples(part) for part in _VOICES}

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
    voices = _VOICES[part].split()[: config.voices[part]]
    others = _OTHER_WORDS[part].split()[: config.other_words[part]]
    of_command, of_unknown, of_silence = config.clips[part]

    def spoken(text: str, variant: str) -> dict[str, Any]:
        return {
            "text": text + random.choice(["", ".", "!", "?"]),
            "accent": str(random.choice(_ACCENTS.split())),
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
            noise = str(random.choice(_NOISES.split()))
            crowd = 6 if noise == "babble" else 0
            yield {
                "label": label,
                "seed": int(random.integers(2**63)),
                "noise": noise,
                "word": spoken(word, voices[turn % len(voices)]) if word else None,
                "babble": [
                    spoken(str(random.choice(others)), str(random.choice(voices)))
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
