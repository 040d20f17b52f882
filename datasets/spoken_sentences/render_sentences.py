"""A program beside the builder: reads a plan of sentences, writes their samples.

    python render_sentences.py PLAN > SAMPLES

Each line of PLAN is one recording as JSON: `seed`, `noise` and `babble` as in the plans of
`spoken_commands/render_clips.py`, `word` (what is said, and by whom), `margins` (seconds before and
after it), `is_wet` (in a room) and `snr_db`. SAMPLES has for each of them the number of samples,
little-endian int32, and the samples, little-endian int16. The folder of spoken_commands must be on
the path of modules.
"""

import json
import sys
from pathlib import Path

import espeak_voice
import numpy as np
import render_clips
import room_and_noise

_FAST = 4_000  # samples


def main() -> int:
    """Reads the plan that the command line names; exit status 1 and one line where it cannot."""
    try:
        voice = espeak_voice.EspeakVoice()
        for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
            samples = np.rint(render(json.loads(line), voice) * 32767).astype("<i2").tobytes()
            sys.stdout.buffer.write(np.array(len(samples) // 2, "<i4").tobytes() + samples)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def render(clip: dict, voice: espeak_voice.EspeakVoice) -> np.ndarray:
    """One recording of the plan, float32 [samples], within -1..1."""
    random = np.random.default_rng(clip["seed"])
    speech = render_clips.spoken(clip["word"], voice)
    before, after = (round(each * room_and_noise.SAMPLE_RATE_HZ) for each in clip["margins"])
    count = before + len(speech) + after
    # A transform of such a length is fast, and one of a prime number of samples is not
    longer = -(-count // _FAST) * _FAST
    if clip["noise"] == "babble":
        background = render_clips.babble(clip["babble"], voice, random, longer)[:count]
    else:
        background = room_and_noise.noise(clip["noise"], longer, random)[:count]
    if clip["is_wet"]:
        speech = room_and_noise.reverberant(speech, random)
    mix = room_and_noise.mixed(speech, background, clip["snr_db"], before)
    return mix * (10 ** (random.uniform(-20.0, -1.0) / 20) / np.abs(mix).max())


if __name__ == "__main__":
    sys.exit(main())
