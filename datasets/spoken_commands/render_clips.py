"""A program beside the builder: reads a plan of clips, writes their samples.

    python render_clips.py PLAN > SAMPLES

Each line of PLAN is one clip as JSON: `seed`, `noise` (one of `room_and_noise.NOISES`, or
`babble`), `word` (what is said: `text`, `accent`, `variant`, `rate`, `pitch`, `pitch_range`; null
for no word) and `babble` (a list of the same, heard all at once). SAMPLES is 16,000 little-endian
int16 samples for each of them. A process of its own, because the state of espeak-ng outlives a
word: the same plan gives the same samples whatever ran before.
"""

import json
import sys
from pathlib import Path

import espeak_voice
import numpy as np
import room_and_noise
import soxr

RATE_HZ = room_and_noise.SAMPLE_RATE_HZ
COUNT = RATE_HZ  # samples of a clip


def main() -> int:
    """Reads the plan that the command line names; exit status 1 and one line where it cannot."""
    try:
        voice = espeak_voice.EspeakVoice()
        for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
            samples = render(json.loads(line), voice)
            sys.stdout.buffer.write(np.rint(samples * 32767).astype("<i2").tobytes())
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def render(clip: dict, voice: espeak_voice.EspeakVoice) -> np.ndarray:
    """One clip of the plan, float32 [16000], within -1..1."""
    random = np.random.default_rng(clip["seed"])
    if clip["noise"] == "babble":
        background = babble(clip["babble"], voice, random, COUNT)
    else:
        background = room_and_noise.noise(clip["noise"], COUNT, random)
    if clip["word"] is None:
        level = 10 ** (random.uniform(-60.0, -20.0) / 20)
        # Knocks stand far above their mean power
        return background * min(level, 0.9 / np.abs(background).max())
    word = spoken(clip["word"], voice)
    if len(word) > COUNT:
        raise ValueError(f"{clip['word']} takes {len(word) / RATE_HZ:.2f} s, longer than its clip")
    start = int(random.integers(0, COUNT - len(word) + 1))
    if random.random() < 0.7:
        word = room_and_noise.reverberant(word, random)
    mix = room_and_noise.mixed(word, background, random.uniform(5.0, 40.0), start)
    return mix * (10 ** (random.uniform(-20.0, -1.0) / 20) / np.abs(mix).max())


def spoken(words: dict, voice: espeak_voice.EspeakVoice) -> np.ndarray:
    """The words at the clips' rate without the quiet around them."""
    sound = soxr.resample(voice.say(**words), voice.sample_rate_hz, RATE_HZ)
    heard = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    margin = RATE_HZ // 100
    return sound[max(0, heard[0] - margin) : heard[-1] + margin]


def babble(
    speakers: list[dict], voice: espeak_voice.EspeakVoice, random: np.random.Generator, count: int
) -> np.ndarray:
    """Everybody at once, each over and over from a place of their own: `count` samples, power 1."""
    made = 0.001 * random.standard_normal(count)
    for words in speakers:
        sound = np.resize(room_and_noise.with_unit_power(spoken(words, voice)), count)
        made += random.uniform(0.3, 1.0) * np.roll(sound, random.integers(count))
    return room_and_noise.with_unit_power(made)


if __name__ == "__main__":
    sys.exit(main())
