"""A recording in any format is brought to what the export takes; what is no sound is told of."""

import numpy as np
import pytest
import soundfile

from apps.speech_commands import demo
from apps.suite import errors
from apps.suite.export import asking
from tests.apps.speech_commands import small_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(small_exports):
    with asking.exports(small_exports / "speech_commands") as (found,):
        yield found


def recorded(file, samples=None, rate=small_run.RATE_HZ, **options):
    samples = small_run.sound(0.5) if samples is None else samples
    soundfile.write(file, samples, rate, **options)
    return str(file)


def test_a_file_at_the_model_s_own_rate_is_answered_as_its_samples_are(model, tmp_path):
    sound = small_run.sound(0.5)
    heard = demo.recognise(model, recorded(tmp_path / "a.wav", sound, subtype="FLOAT"))
    answer = model.ask(waveform=sound[None])
    np.testing.assert_allclose(heard.probabilities, answer["probabilities"][0], atol=1e-5)
    assert heard.label == heard.label_names[int(heard.probabilities.argmax())]
    assert heard.label_names == list(small_run.NAMES)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_formats_rates_and_channels(model, tmp_path, suffix, rate):
    stereo = np.random.default_rng(0).normal(0, 0.1, (rate // 2, 2))
    heard = demo.recognise(model, recorded(tmp_path / f"a.{suffix}", stereo, rate))
    assert abs(len(heard.samples) - small_run.RATE_HZ / 2) < 0.2 * small_run.RATE_HZ
    assert heard.probabilities.sum() == pytest.approx(1, abs=1e-4)


def test_the_computer_s_voice_says_the_model_s_words(model, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert demo.words_of(model) == ["no", "yes"]
    said = {}
    for word in demo.words_of(model):
        for voice in ("a woman, American", "a man, British"):
            file = demo.write_spoken(word, voice)
            assert file.parent == tmp_path
            samples, _ = soundfile.read(file)
            assert 0.1 < np.abs(samples).max() <= 1
            said[word, voice] = samples.tobytes()
            demo.recognise(model, str(file))
    assert len(set(said.values())) == 4
    with pytest.raises(errors.UserError, match="Choose a word"):
        demo.write_spoken(" ", "a man, British")


def test_the_picture_has_a_sound_of_any_length():
    for count in (1, 200, 16_000):
        assert "Spectrogram" in demo.spectrogram(np.ones(count, np.float32), 16_000)


def test_what_is_no_recording_is_told(model, tmp_path):
    def told(file):
        with pytest.raises(errors.UserError) as caught:
            demo.recognise(model, file)
        return str(caught.value)

    assert "no sound yet" in told(None)
    (tmp_path / "text.wav").write_text("these are words\n")
    (tmp_path / "cut.wav").write_bytes(b"RIFF\x24\x08\0\0WAVE")
    spoilt = np.array([0.0, np.nan] * 100)
    recorded(tmp_path / "empty.wav", np.zeros(0))
    recorded(tmp_path / "long.wav", np.zeros(61 * 8_000))
    recorded(tmp_path / "nan.wav", spoilt, subtype="FLOAT")
    for name in ("text", "cut", "empty", "long", "nan"):
        assert told(str(tmp_path / f"{name}.wav")).startswith(f"{name}.wav: ")
    loud = np.full(800, 30_000.0)
    assert "-1..1" in told(recorded(tmp_path / "loud.wav", loud, subtype="FLOAT"))
