"""The export answers raw sound as Keras does, and refuses what is none; a stream is as a clip."""

import io
import json
import subprocess

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from apps.speech_commands import export
from apps.speech_commands.scoring import ClipProbabilities
from apps.suite.export import assets
from apps.suite.sounds import sound_files
from tests.apps.speech_commands import small_run

RATE = small_run.RATE_HZ
STATES = [
    "samples", "convolution_0", "convolution_1", "recurrent_0_h", "recurrent_0_c", "evidence",
    "attention",
]  # fmt: skip


@pytest.fixture(scope="module")
def signatures(exported):
    loaded = tf.saved_model.load(str(exported))
    yield loaded.signatures
    del loaded  # the signatures hold no reference to the variables


@pytest.fixture(scope="module")
def keras_answer():
    """Probabilities of one clip, by the model itself."""
    config = small_run.config()
    ask = ClipProbabilities(small_run.built(config), config)
    return lambda clip: ask([clip])[0]


def files(*contents):
    return tf.constant(np.array(contents, object))


def encoded(samples, rate=RATE, **options):
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format="WAV", **options)
    return content.getvalue()


def streamed(signatures, sound, lengths):
    """All answers to a stream, from states of empty rows on, and the last label of each chunk."""
    states = {name: tf.zeros([len(sound), 0]) for name in STATES}
    found, labels, start = [], [], 0
    for length in lengths:
        chunk = tf.constant(sound[:, start : start + length])
        answer = signatures["stream"](chunk=chunk, **states)
        states = {name: answer[name] for name in STATES}
        found.append(answer["probabilities"].numpy())
        labels.append(answer["label"].numpy().tolist())
        start += length
    return np.concatenate(found, axis=1), labels


def test_the_settings_tell_what_the_signatures_cannot(exported):
    settings = json.loads((exported / "assets" / assets.SETTINGS).read_text())
    assert settings["sample_rate_hz"] == RATE
    assert settings["label_names"] == list(small_run.NAMES)
    assert settings["states"] == STATES
    assert settings["detector"]["thresholds"] == small_run.THRESHOLDS
    assert settings["detector"]["frame_seconds"] == pytest.approx(0.032)


def test_samples_are_answered_as_keras_answers_them(signatures, keras_answer):
    clips = np.stack([small_run.sound(0.9, seed) for seed in range(4)])
    answer = signatures["serving_default"](waveform=tf.constant(clips))
    names = [name.decode() for name in answer["label_names"].numpy()]
    assert names == list(small_run.NAMES)
    for row, clip in enumerate(clips):
        expected = keras_answer(clip)
        np.testing.assert_allclose(answer["probabilities"][row], expected, atol=1e-5)
        assert answer["label"].numpy()[row].decode() == names[expected.argmax()]


def test_files_are_answered_each_with_its_own_length(signatures, keras_answer):
    clips = [small_run.sound(seconds, 9) for seconds in (0.9, 0.31, 0.02)]
    wavs = [sound_files.wav_bytes(clip, RATE) for clip in clips]
    answer = signatures["wav"](wav=files(*wavs))
    for row, clip in enumerate(clips):
        read = np.round(clip * 32768).astype(np.float32) / 32768
        np.testing.assert_allclose(answer["probabilities"][row], keras_answer(read), atol=1e-5)


def test_channels_are_mixed(signatures):
    one, other = (np.round(small_run.sound(0.5, seed) * 32768) / 32768 for seed in (1, 2))
    both = encoded(np.stack([one, other], axis=1), subtype="PCM_16")
    mixed = signatures["serving_default"](waveform=tf.constant((one + other)[None] / 2, tf.float32))
    answer = signatures["wav"](wav=files(both))
    np.testing.assert_allclose(answer["probabilities"], mixed["probabilities"], atol=2e-4)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (encoded(small_run.sound(0.5), 16_000, subtype="PCM_16"), r"has to be\W+8000\W.*16000"),
        (encoded(small_run.sound(0.5), subtype="PCM_24"), "16"),
        (b"not a wav file", "RIFF"),
        (b"", "too short"),
        (encoded(np.zeros(0), subtype="PCM_16"), "no samples"),
    ],
    ids=["other rate", "24 bits", "text", "empty", "no samples"],
)
def test_files_that_cannot_be_meant_are_refused_with_the_reason(signatures, content, told):
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"(?s){told}"):
        signatures["wav"](wav=files(content))


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (np.full((1, 800), np.nan), "waveform: a sample is not a finite number"),
        (np.full((1, 800), np.inf), "waveform: a sample is not a finite number"),
        (np.full((1, 800), 3000.0), "divide 16-bit ones by 32768"),
        (np.zeros((2, 0)), "no samples"),
    ],
    ids=["NaN", "infinite", "16 bits", "none"],
)
def test_samples_that_cannot_be_meant_are_refused_with_the_reason(signatures, samples, told):
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        signatures["serving_default"](waveform=tf.constant(samples, tf.float32))


def test_a_stream_is_refused_what_a_clip_is(signatures):
    states = {name: tf.zeros([1, 0]) for name in STATES}
    with pytest.raises(tf.errors.InvalidArgumentError, match="chunk: a sample is not a finite"):
        signatures["stream"](chunk=tf.constant([[np.nan] * 300], tf.float32), **states)


def test_a_stream_in_pieces_gives_the_whole_and_at_a_clip_s_end_the_clip_s_answer(
    signatures, keras_answer
):
    clip_samples = round(0.4 * RATE)
    sound = np.stack([small_run.sound(2, seed) for seed in range(3)])
    whole, _ = streamed(signatures, sound, [sound.shape[1]])
    draw = np.random.default_rng(0)
    pieces, labels = streamed(signatures, sound, draw.choice([0, 1, 80, 400, 1_500], 60))
    np.testing.assert_allclose(pieces, whole[:, : pieces.shape[1]], atol=1e-5)
    assert pieces.shape[1] > 20
    at_end, _ = streamed(signatures, sound, [clip_samples])
    for row in range(3):
        np.testing.assert_allclose(
            at_end[row, -1], keras_answer(sound[row, :clip_samples]), atol=1e-5
        )
    assert b"" in {label for each in labels for label in each}  # of chunks without an answer
    _, ((label, *_),) = streamed(signatures, sound, [sound.shape[1]])
    assert label.decode() == small_run.NAMES[whole[0, -1].argmax()]


def test_each_row_of_a_stream_has_its_own_states(signatures):
    sound = np.stack([small_run.sound(1, seed) for seed in range(3)])
    together, _ = streamed(signatures, sound, [700, 900, 3_000])
    for row in range(3):
        alone, _ = streamed(signatures, sound[row : row + 1], [700, 900, 3_000])
        np.testing.assert_allclose(together[row : row + 1], alone, atol=1e-5)


def test_the_states_are_rows_of_numbers_that_json_can_carry(signatures):
    states = {name: tf.zeros([2, 0]) for name in STATES}
    answer = signatures["stream"](chunk=tf.constant(np.stack([small_run.sound(1)] * 2)), **states)
    for name in STATES:
        assert answer[name].shape.rank == 2
        assert answer[name].shape[0] == 2
        assert np.isfinite(answer[name]).all()


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [*small_run.ANY_KIND[1:], {"layer": "bilstm"}])
def test_every_kind_of_model_is_exported(sizes, tmp_path):
    small_run.write(tmp_path / "run", **sizes)
    version = export.export(tmp_path / "run", tmp_path)  # which compares it with Keras
    found = tf.saved_model.load(str(version)).signatures
    assert ("stream" in found) == (sizes["layer"] != "bilstm")


def test_the_command_says_what_to_do_next(run, tmp_path, capsys):
    assert export.main(["--run", str(run), "--to", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    version = tmp_path / "speech_commands" / "1"
    assert f"exported to {version}" in printed
    assert f"python -m apps.speech_commands.predict --model {version} clip.wav" in printed
    (tmp_path / "clip.wav").write_bytes(sound_files.wav_bytes(small_run.sound(0.3), RATE))
    (line,) = (line for line in printed.splitlines() if "echo" in line)
    shell = subprocess.run(
        ["bash", "-c", line.rstrip("| ")], capture_output=True, text=True, cwd=tmp_path
    )
    request = json.loads(shell.stdout)  # the file is in it
    assert request["signature_name"] == "wav"
    assert request["inputs"]["wav"][0]["b64"]
