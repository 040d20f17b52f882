"""A run as a person uses it: from a pipe, in captions, and over a folder of files."""

import io
import json
import types

import pytest
import soundfile

from apps import score_many
from apps.speech_to_text import demo, export, predict
from apps.suite import errors
from apps.suite.export import asking
from tests.apps.scoring_job_files import bad_rows, scores
from tests.apps.speech_to_text import small_run

RATE = small_run.RATE_HZ


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "small"
    small_run.write(folder)
    return folder


def told(capsys, *arguments):
    assert predict.main([*map(str, arguments), "--json"]) == 0, capsys.readouterr().err
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refused(capsys, *arguments):
    assert predict.main([*map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def wav(folder, seconds=1.5, seed=1):
    soundfile.write(folder / f"{seed}.wav", small_run.sound(seconds, seed), RATE, subtype="PCM_16")
    return folder / f"{seed}.wav"


def test_a_pipe_is_heard_as_its_file_whatever_its_blocks(run, tmp_path, capsys, monkeypatch):
    file = wav(tmp_path)
    of_file = told(capsys, file, "--run", run, "--stream")
    samples, _ = soundfile.read(file, dtype="int16")
    pipe = types.SimpleNamespace(buffer=io.BytesIO(samples.astype("<i2").tobytes()))
    monkeypatch.setattr("sys.stdin", pipe)
    of_pipe = told(capsys, "--run", run, "--stream")
    texts = [[each["text"] for each in heard if each["text"]] for heard in (of_file, of_pipe)]
    assert " ".join(texts[0]) == " ".join(texts[1])
    assert of_pipe[-1]["seconds"] == of_file[-1]["seconds"] == 1.5
    assert of_pipe[-1]["tail"] == ""
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO()))
    assert "no samples" in refused(capsys, "--run", run, "--stream")


def test_captions_and_words_are_of_the_text(run, tmp_path, capsys):
    file = wav(tmp_path, 3.0, 2)
    (answer,) = told(capsys, file, "--run", run, "--srt", tmp_path / "a.srt", "--words")
    lines = (tmp_path / "a.srt").read_text().splitlines()
    said = [line for line in lines if line and "-->" not in line and not line.isdecimal()]
    assert " ".join(said) == answer["text"]
    assert " ".join(each["word"] for each in answer["words"]) == answer["text"]


def test_alternatives_begin_with_the_answer_and_follow_the_weight(run, tmp_path, capsys):
    file = wav(tmp_path)
    (answer,) = told(capsys, file, "--run", run, "--alternatives", 3)
    assert answer["alternatives"][0]["text"] == answer["text"]
    assert len(answer["alternatives"]) == 3
    options = ("--alternatives", 3, "--word_bonus", 50)
    (other,) = told(capsys, file, "--run", run, *options)
    most = max(len(each["text"].split()) for each in other["alternatives"])
    assert len(other["alternatives"][0]["text"].split()) == most


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("inputs",)),
        (("-", "--words"), ("--words", "whole recordings")),
        (("a.wav", "--language_weight", 1), ("--alternatives",)),
        (("no_such.wav",), ("no_such.wav",)),
        (("a.wav", "b.wav", "--srt", "x.srt"), ("--srt", "one recording")),
    ],
)
def test_questions_without_an_answer_are_one_line(
    run, tmp_path, capsys, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        soundfile.write(f"{name}.wav", small_run.sound(0.3), RATE)
    error = refused(capsys, *arguments, "--run", run)
    for word in words:
        assert word in error


def test_a_model_of_whole_recordings_says_so_to_a_stream(tmp_path, capsys):
    small_run.write(tmp_path / "run", layer="bilstm")
    error = refused(capsys, wav(tmp_path), "--run", tmp_path / "run", "--stream")
    assert "whole recordings" in error


@pytest.mark.slow
def test_files_of_a_folder_are_written_down_by_a_job_and_by_the_page(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    version = export.export(run, tmp_path / "exports")
    (tmp_path / "in").mkdir()
    files = [wav(tmp_path / "in", seconds, seed) for seed, seconds in enumerate((1.0, 1.0, 0.4))]
    (tmp_path / "in" / "junk.ogg").write_text("no sound")
    options = ["--model", str(version), "--to", "scores", "--input", "in"]
    assert score_many.main(options) == 0
    found = {row["file"]: row for row in scores(tmp_path / "scores")}
    assert len(found) == 3
    assert len(bad_rows(tmp_path / "scores")) == 1
    source = types.SimpleNamespace(run=run, model=version, server="")
    with asking.model("speech_to_text", None, source) as model:
        for file in files:
            sound, _ = soundfile.read(file, dtype="float32")
            answer = model.ask(waveform=sound[None])
            row = found[str(file.relative_to(tmp_path))]
            assert row["text"] == answer["text"][0].decode()
            assert row["confidence"] == pytest.approx(answer["confidence"][0], abs=1e-4)
            written = demo.written(model, str(file))
            assert written.text == row["text"]
            if written.text:
                assert written.words[0].word in demo.page(written)
        with pytest.raises(errors.UserError, match="no sound yet"):
            demo.written(model, None)


def test_a_page_escapes_what_it_shows():
    answer = predict.Recording("a.wav", "<i>", 0.5, (predict.Word("<i>", 0.0, 0.1, 0.5),))
    shown = demo.page(answer)
    assert shown.count("&lt;i&gt;") == 3
    assert "<i>" not in shown
