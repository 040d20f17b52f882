"""Files and folders are answered alike by a run and by its export, as a whole and over time."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.videos import video_files
from apps.video_classification import predict
from tests.apps.video_classification import made_videos, small_run

SIGNATURE = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A folder with a short clip in a subfolder, a longer video, and what is no video."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "notes.txt").write_text("no video")
    made_videos.write(folder / "inner" / "clip.AVI", small_run.video(4, 32, 40, seed=1), 10.0)
    long = np.concatenate([small_run.video(30, 48, 60, seed) for seed in (2, 3)])
    made_videos.write(folder / "long.mp4", long, 20.0)
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


@pytest.mark.parametrize("name", ["inner/clip.AVI", "long.mp4"])
def test_a_video_is_answered_with_the_mean_of_its_clips(capsys, run, videos, model, name):
    (answer,) = objects(capsys, "--run", run, videos / name, "--top", 4)
    trained, config = model
    found = video_files.read(videos / name, config.clips, config.evaluation.clips_per_video)
    clips = found.frames[:, : found.length]
    assert len(clips) == (1 if "clip" in name else 3)
    expected = tf.nn.softmax(small_run.answer(trained, clips)).numpy().mean(axis=0)
    assert answer["input"].endswith(name)
    assert answer["label"] == small_run.NAMES[expected.argmax()]
    shares = list(answer["probabilities"].values())
    assert shares == sorted(shares, reverse=True)
    for label, share in answer["probabilities"].items():
        assert share == pytest.approx(expected[small_run.NAMES.index(label)], abs=2e-4)
    assert answer["seconds"] == pytest.approx(0.4 if "clip" in name else 3.0, abs=0.01)
    assert "segments" not in answer


def test_an_export_says_the_same_as_its_run(capsys, run, exported, videos, tmp_path):
    over_time = ["--timeline", tmp_path, "--clip_seconds", 1.0]
    assert objects(capsys, "--run", run, videos, *over_time) == objects(
        capsys, "--model", exported, videos, *over_time
    )


def test_a_streaming_export_says_the_same_as_its_run(
    capsys, streaming_run, exported_stream, videos, tmp_path
):
    over_time = [videos / "long.mp4", "--timeline", tmp_path, "--clip_seconds", 0.5]
    (answer,) = objects(capsys, "--run", streaming_run, *over_time)
    assert [answer] == objects(capsys, "--model", exported_stream, *over_time)
    assert answer["segments"][0]["start_seconds"] < 0.1
    assert answer["segments"][-1]["end_seconds"] == pytest.approx(3.0, abs=0.01)


def test_a_folder_is_all_videos_in_it_in_order(capsys, run, videos):
    names = [answer["input"] for answer in objects(capsys, "--run", run, videos)]
    assert names == [str(videos / "inner" / "clip.AVI"), str(videos / "long.mp4")]


def test_pictures_and_copies_lie_as_the_videos_do(capsys, run, videos, tmp_path):
    pictures, copies = tmp_path / "pictures", tmp_path / "copies"
    answers = objects(capsys, "--run", run, videos, "--timeline", pictures, "--annotated", copies)
    found = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*"))
    assert found == [
        "copies/inner/clip.mp4", "copies/long.mp4", "pictures/inner/clip-dark.png",
        "pictures/inner/clip.png", "pictures/long-dark.png", "pictures/long.png",
    ]  # fmt: skip
    for name, frames in (("inner/clip", 4), ("long", 60)):
        assert (pictures / f"{name}.png").read_bytes().startswith(SIGNATURE)
        assert video_files.facts(copies / f"{name}.mp4").frames == frames
    for answer in answers:
        ends = [part["end_seconds"] for part in answer["segments"]]
        starts = [part["start_seconds"] for part in answer["segments"]]
        assert starts[1:] == ends[:-1]
        assert ends[-1] == answer["seconds"]


def test_the_last_moment_of_a_video_is_judged_as_its_only_clip(capsys, tmp_path, videos):
    small_run.write(tmp_path / "run", evaluation={"clips_per_video": 1})
    asked = ["--run", tmp_path / "run", videos / "long.mp4", "--top", 1]
    (answer,) = objects(capsys, *asked, "--timeline", tmp_path)
    assert answer["segments"][-1]["label"] == answer["label"]


def test_a_person_reads_a_line_for_a_video_and_one_for_each_of_its_parts(
    capsys, run, videos, tmp_path
):
    status, out, _ = ask(capsys, "--run", run, videos / "long.mp4", "--top", 2)
    assert status == 0
    (line,) = out.splitlines()
    assert len(line.split()) == 5  # file, label, probability, (another label, its probability)
    _, out, _ = ask(capsys, "--run", run, videos / "long.mp4", "--timeline", tmp_path)
    _, *parts = out.splitlines()
    assert parts
    for part in parts:
        start, to, end, unit, label, share = part.split()
        assert (to, unit) == ("to", "s")
        assert 0 <= float(start) < float(end) <= 3
        assert label in small_run.NAMES
        assert 0 < float(share) <= 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name a video file or a folder"),
        (["none.mp4"], "none.mp4: no such file or folder"),
        (["VIDEO", "--top", 0], "--top must be at least 1"),
        (["VIDEO", "--clip_seconds", 0], "--clip_seconds must be above 0"),
        (["VIDEO", "--clip_seconds", "nan"], "--clip_seconds must be above 0"),
        (["VIDEO", "--model", "none"], "--model none: not an exported version"),
        (["VIDEO", "--run", "none"], "none: no such run folder"),
    ],
)
def test_what_cannot_be_is_one_line(capsys, run, videos, arguments, told):
    arguments = [str(videos / "long.mp4") if each == "VIDEO" else each for each in arguments]
    status, out, err = ask(capsys, "--run", run, *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_no_copy_is_written_over_a_video_or_another_copy(capsys, run, videos, tmp_path):
    original = tmp_path / "long.mp4"
    shutil.copy(videos / "long.mp4", original)
    before = original.read_bytes()
    for arguments in ([original], [tmp_path]):
        status, _, err = ask(capsys, "--run", run, *arguments, "--annotated", tmp_path)
        assert (status, err.count("\n")) == (2, 1)
        assert "long.mp4 would be written over an input" in err
    assert original.read_bytes() == before
    twice = [original, videos / "long.mp4", "--timeline", tmp_path / "pictures"]
    status, _, err = ask(capsys, "--run", run, *twice)
    assert (status, err.count("\n")) == (2, 1)
    assert "long.png would be written over an input, or twice" in err


def test_files_that_cannot_be_decoded_are_named_and_left_out_only_if_told_so(
    capsys, run, videos, tmp_path
):
    shutil.copy(videos / "long.mp4", tmp_path / "c.mp4")
    cut = (videos / "long.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(cut[: len(cut) // 3])
    (tmp_path / "a.avi").write_text("no video at all")
    (tmp_path / "empty.mov").write_bytes(b"")
    for name in ("a.avi", "b.mp4", "empty.mov"):
        status, out, err = ask(capsys, "--run", run, tmp_path / name)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert f"{name}: " in err
    status, out, err = ask(capsys, "--run", run, tmp_path, "--skip_unreadable", "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert ["error" in answer for answer in answers] == [True, True, False, True]
    assert err == "3 left out that cannot be decoded\n"
    _, out, _ = ask(capsys, "--run", run, tmp_path, "--skip_unreadable")
    assert out.count("left out: it ") == 3


def test_a_folder_without_videos_is_one_line(capsys, run, tmp_path):
    (tmp_path / "notes.txt").write_text("no video")
    status, out, err = ask(capsys, "--run", run, tmp_path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "no video in this folder" in err


def test_a_file_with_an_unusual_name_is_read(capsys, run, videos, tmp_path):
    shutil.copy(videos / "long.mp4", tmp_path / "100%d Ärger")
    (answer,) = objects(capsys, "--run", run, tmp_path / "100%d Ärger")
    (plain,) = objects(capsys, "--run", run, videos / "long.mp4")
    assert answer["probabilities"] == plain["probabilities"]


def test_files_of_a_folder_that_are_not_asked_are_named(tmp_path, capsys):
    for name in ("a.mp4", "sub/b.GIF", "sub/notes.txt", "c.rm", ".d.mp4", "__MACOSX/a.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = predict.find_videos([tmp_path], None, None)
    assert [each.path.name for each in found] == ["a.mp4", "b.GIF"]
    told = capsys.readouterr().err
    assert told == f"note: {tmp_path}: not read: 2 files: c.rm, sub/notes.txt\n"
