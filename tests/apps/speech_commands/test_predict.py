"""Files, folders and pipes are heard alike by a run and by its export."""

import io
import json
import types

import numpy as np
import pytest
import soundfile

from apps.speech_commands import detector, predict, streams
from apps.speech_commands.scoring import ClipProbabilities
from tests.apps.speech_commands import small_run

RATE = small_run.RATE_HZ


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A folder with a clip in a subfolder, a longer recording, and what is no sound."""
    folder = tmp_path_factory.mktemp("sounds")
    (folder / "inner").mkdir()
    (folder / "notes.txt").write_text("no sound")
    soundfile.write(folder / "inner" / "clip.WAV", small_run.sound(0.5, 1), RATE, subtype="FLOAT")
    soundfile.write(folder / "long.flac", small_run.sound(30, 3), RATE, subtype="PCM_24")
    return folder


@pytest.fixture(scope="module")
def model():
    config = small_run.config()
    return small_run.built(config), config


def ask(capsys, *arguments):
    status = predict.main(list(map(str, arguments)))
    return status, *capsys.readouterr()


def objects(capsys, *arguments):
    status, out, err = ask(capsys, *arguments, "--json")
    assert status == 0
    assert all(line.startswith("note: ") for line in err.splitlines())
    return [json.loads(line) for line in out.splitlines()]


def pipe(monkeypatch, samples):
    content = np.round(samples * 32768).clip(-32768, 32767).astype("<i2").tobytes()
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(content)))


def test_a_clip_is_answered_with_the_model_s_probabilities(capsys, run, sounds, model):
    (answer,) = objects(capsys, "--run", run, sounds / "inner" / "clip.WAV", "--top", 4)
    expected = ClipProbabilities(*model)([small_run.sound(0.5, 1)])[0]
    assert answer["input"].endswith("clip.WAV")
    assert answer["label"] == small_run.NAMES[expected.argmax()]
    assert list(answer["probabilities"].values()) == sorted(
        answer["probabilities"].values(), reverse=True
    )
    for name, share in answer["probabilities"].items():
        assert share == pytest.approx(expected[small_run.NAMES.index(name)], abs=2e-4)


def test_a_stream_s_words_are_those_that_the_detector_finds(capsys, run, sounds, model):
    *words, end = objects(capsys, "--run", run, sounds / "long.flac")
    samples, _ = soundfile.read(sounds / "long.flac", dtype="float32")
    hears = streams.Listener(*model)
    posteriors = hears(samples[None], hears.initial_states(1))[0].numpy()[0]
    finder = detector.Detector(
        small_run.NAMES, small_run.THRESHOLDS, **hears.timing(small_run.config().detection)
    )
    expected, _ = finder.detect(posteriors, finder.initial_state())
    assert len(words) > 3
    assert [(word["word"], word["seconds"]) for word in words] == [
        (hit.word, pytest.approx(hit.seconds, abs=1e-3)) for hit in expected
    ]
    assert [word["confidence"] for word in words] == pytest.approx(
        [hit.confidence for hit in expected], abs=1e-3
    )
    assert end == {
        "input": str(sounds / "long.flac"),
        "heard_seconds": 30.0,
        "words": len(words),
    }


def test_an_export_says_the_same_as_its_run(capsys, run, exported, sounds):
    assert objects(capsys, "--run", run, sounds) == objects(capsys, "--model", exported, sounds)


def test_a_folder_is_all_sound_files_in_it_in_order(capsys, run, sounds):
    found = objects(capsys, "--run", run, sounds)
    names = list(dict.fromkeys(answer["input"] for answer in found))
    assert names == [str(sounds / "inner" / "clip.WAV"), str(sounds / "long.flac")]


def test_raw_samples_come_from_standard_input(capsys, run, sounds, monkeypatch):
    from_file = objects(capsys, "--run", run, sounds / "long.flac")
    pipe(monkeypatch, soundfile.read(sounds / "long.flac", dtype="float32")[0])
    piped = objects(capsys, "--run", run, "-")
    assert {answer["input"] for answer in piped} == {"-"}
    assert [answer.get("word") for answer in piped] == [each.get("word") for each in from_file]
    for one, other in zip(piped, from_file, strict=True):
        assert one.get("seconds", 0) == pytest.approx(other.get("seconds", 0), abs=0.05)


def test_another_rate_of_raw_samples_is_brought_to_the_model_s(capsys, run, monkeypatch):
    pipe(monkeypatch, small_run.sound(10, 2))
    *_, end = objects(capsys, "--run", run, "-", "--raw_rate_hz", 2 * RATE)
    assert end["heard_seconds"] == pytest.approx(5, abs=0.01)


def test_the_mode_decides_what_length_decides_without_it(capsys, run, sounds):
    short, long = sounds / "inner" / "clip.WAV", sounds / "long.flac"
    assert "label" in objects(capsys, "--run", run, long, "--mode", "clip")[0]
    assert "heard_seconds" in objects(capsys, "--run", run, short, "--mode", "stream")[-1]


def test_a_person_reads_a_line_for_a_clip_and_lines_with_times_for_a_stream(capsys, run, sounds):
    status, out, _ = ask(capsys, "--run", run, sounds, "--top", 2)
    clip, stream, *words, end = out.splitlines()
    assert status == 0
    assert clip.split()[0].endswith("clip.WAV")
    assert len(clip.split()) == 5  # file, label, probability, (another label, its probability)
    assert stream.endswith("long.flac")
    assert all(line.split()[1] == "s" and line.split()[2] in ("no", "yes") for line in words)
    assert end.split() == ["30.00", "s", "end,", str(len(words)), "words"]


def test_words_are_told_before_the_stream_has_ended(run, monkeypatch):
    class Endless(io.RawIOBase):
        """A microphone: it has to be left while it goes on."""

        def __init__(self):
            self.given, self.seed = 0, 0

        def read(self, count=-1):
            self.given += count
            self.seed += 1
            sound = small_run.sound(count / 2 / RATE, 2 + self.seed // 8)
            return (sound * 32768).astype("<i2").tobytes()

    source = Endless()
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=source))
    first = next(predict.predict(predict.Options(("-",), run)))
    assert isinstance(first, predict.Word)
    heard = source.given / 2 / RATE
    assert first.seconds <= heard < max(first.seconds, 0.8) + 0.35


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name a sound file, a folder, or -"),
        (["none.wav"], "none.wav: no such file or folder"),
        (["-", "-"], "standard input can be read once"),
        (["-", "--top", 0], "--top must be at least 1"),
        (["-", "--raw_rate_hz", 0], "--raw_rate_hz must be at least 1"),
        (["-", "--mode", "word"], "--mode"),
        (["-", "--model", "none"], "--model none: not an exported version"),
        (["-", "--run", "none"], "none: no such run folder"),
    ],
)
def test_what_cannot_be_is_one_line(capsys, run, arguments, told):
    status, out, err = ask(capsys, "--run", run, *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_sound_that_cannot_be_read_is_one_line_with_its_file(capsys, run, tmp_path, sounds):
    text = tmp_path / "text.wav"
    text.write_text("not sound at all, but long enough to be looked at")
    broken = tmp_path / "broken.wav"
    soundfile.write(broken, np.array([0.1, np.nan] * 4_000), RATE, subtype="FLOAT")
    cut = tmp_path / "cut.wav"
    soundfile.write(cut, small_run.sound(2), RATE)
    cut.write_bytes(cut.read_bytes()[:20_000])
    long = tmp_path / "long.wav"
    soundfile.write(long, np.zeros(61 * RATE), RATE)
    (tmp_path / "empty").mkdir()
    for arguments, told in (
        ([text], "text.wav: "),
        ([broken], "broken.wav: sample 1 is not a number"),
        ([cut], "cut.wav: the header declares"),
        ([long, "--mode", "clip"], "long.wav: longer than 60 s"),
        ([tmp_path / "empty"], "no wav, flac, ogg, mp3 or aiff file in this folder"),
    ):
        status, out, err = ask(capsys, "--run", run, *arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert told in err


def test_mp3_is_answered_and_files_of_a_folder_that_are_not_sounds_are_named(capsys, run, tmp_path):
    soundfile.write(tmp_path / "a.mp3", small_run.sound(0.5), RATE)
    for name in ("b.m4a", "._a.mp3"):
        (tmp_path / name).write_text("not sound")
    status, out, err = ask(capsys, "--run", run, "--json", tmp_path)
    assert status == 0
    assert [json.loads(line)["input"] for line in out.splitlines()] == [str(tmp_path / "a.mp3")]
    assert err == f"note: {tmp_path}: not read: 1 file: b.m4a\n"


def test_a_pipe_without_samples_is_one_line(capsys, run, monkeypatch):
    pipe(monkeypatch, np.zeros(0))
    status, out, err = ask(capsys, "--run", run, "-")
    assert (status, out) == (2, "")
    assert "no samples came" in err


def test_a_model_for_clips_says_so_where_a_stream_comes(capsys, tmp_path, sounds):
    small_run.write(tmp_path, layer="bilstm")
    clip, long = sounds / "inner" / "clip.WAV", sounds / "long.flac"
    assert "label" in objects(capsys, "--run", tmp_path, clip)[0]
    for arguments in ([long], [clip, "--mode", "stream"]):
        status, out, err = ask(capsys, "--run", tmp_path, *arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "clip" in err
