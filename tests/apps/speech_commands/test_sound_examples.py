"""What is shown of failures and successes is what there is, the surest first."""

import io
import re

import numpy as np
import pytest
import soundfile

from apps.speech_commands import recordings as speech_commands_recordings
from apps.speech_commands import report
from apps.suite.evaluation import plots
from apps.suite.evaluation import report as evaluation_report
from apps.suite.sounds import sound_files
from tests.apps.speech_commands import small_run

NAMES = ("no", "yes", "unknown")
LABELS = np.array([0, 0, 0, 1, 2, 0, 1, 0])
PROBABILITIES = np.array(
    [
        [0.1, 0.9, 0.0],  # no, taken for yes
        [0.8, 0.1, 0.1],
        [0.3, 0.7, 0.0],  # no, taken for yes
        [0.5, 0.4, 0.1],  # yes, taken for no
        [0.0, 0.0, 1.0],
        [0.4, 0.6, 0.0],  # no, taken for yes
        [0.2, 0.8, 0.0],
        [0.9, 0.1, 0.0],
    ]
)


class Part:
    recordings = tuple(
        speech_commands_recordings.Recording(f"{at}.wav", NAMES[label], "ann" if at % 2 else "")
        for at, label in enumerate(LABELS)
    )

    def waveform(self, index):
        return small_run.sound(0.4, index)


def test_failures_are_the_surest_wrong_answers_two_of_a_kind():
    found = report.failures(LABELS, PROBABILITIES, NAMES, 6)
    assert [example.recording for example in found] == [0, 2, 3]
    assert found[0] == (0, "no", "yes", 0.9, 0.1)
    assert report.failures(LABELS, PROBABILITIES, NAMES, 1) == found[:1]


def test_successes_are_the_surest_right_answers_one_a_label():
    found = report.successes(LABELS, PROBABILITIES, NAMES, 6)
    assert [example.recording for example in found] == [4, 7, 6]
    assert all(example.said == example.answered for example in found)


def test_nothing_wrong_is_no_example():
    assert report.failures(LABELS, np.eye(3)[LABELS], NAMES, 6) == []


def test_each_example_is_a_picture_and_a_player(tmp_path):
    found = report.failures(LABELS, PROBABILITIES, NAMES, 2)
    config = small_run.config(kind="mfcc")
    shown = report.example_blocks(found, Part(), config, tmp_path, "wrong")
    assert [type(block) for block in shown] == [plots.Plot, evaluation_report.Audio] * 2
    assert shown[0].title == "“no”, taken for “yes”, 90 % sure"
    assert shown[0].light.name == "wrong_1.png"
    assert shown[0].light.read_bytes() != shown[0].dark.read_bytes()
    assert re.search(r"0\.wav; “no” had 10\.0 %", shown[1].caption)
    samples, rate = soundfile.read(io.BytesIO(shown[3].wav))
    assert rate == small_run.RATE_HZ
    np.testing.assert_allclose(samples, small_run.sound(0.4, 2), atol=2e-5)


@pytest.mark.parametrize("sample", [-1.5, -1.0, -0.25, 0.0, 0.5, 32767 / 32768, 2.0])
def test_a_wav_holds_what_fits_exactly_and_clips_the_rest(sample):
    content = sound_files.wav_bytes(np.full(3, sample, np.float32), 8_000)
    read, _ = soundfile.read(io.BytesIO(content))
    np.testing.assert_array_equal(read, np.clip(sample, -1, 32767 / 32768))
