"""A training says what it understood of its videos, and offers one of them to try."""

import dataclasses

from apps.video_classification import account, data, evaluate
from apps.video_classification import config as configs
from tests.apps.video_classification import made_videos


def load(path, **own):
    config = configs.PRESETS["tiny"]
    own = dataclasses.replace(config.own, **own)
    config = dataclasses.replace(config, data=str(path), own=own)
    return data.load(config), config


def test_labels_lengths_and_files_that_are_not_learned_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "cache"))
    folder = made_videos.write_folder(tmp_path / "films", clips=3)
    (folder / "right" / "more").mkdir()
    made_videos.write(folder / "right" / "more" / "film3_0.mkv", made_videos.numbered(20))
    whole = (folder / "left" / "film0_0.avi").read_bytes()
    (folder / "left" / "film3_cut.avi").write_bytes(whole[: len(whole) // 2])
    (folder / "list.ods").write_text("not read")
    corpus, config = load(folder, group_pattern="^(film.)_", skip_unreadable=True)
    told = account.of(corpus, config)
    rows = {line.split("  ")[0]: line.partition("  ")[2].strip() for line in told.splitlines()}
    assert rows["data"] == "films: 19 videos (18 avi, 1 mkv)"
    assert rows["labels"] == "2: left 9, right 10"
    assert rows["groups"] == "4"
    assert rows["lengths"] == "0.80 s each"
    assert rows["parts"] == corpus.split
    assert "right/more" in rows["note"]
    assert rows["damaged"] == "1 file: left/film3_cut.avi"
    assert rows["not read"] == "1 file: list.ods"
    example = evaluate._example(corpus, tmp_path)
    assert example == str(folder / corpus.test.names[0])


def test_the_video_that_is_offered_has_the_labels_of_the_run(tmp_path, monkeypatch):
    from apps.suite.videos import video_files

    monkeypatch.setenv("LSTM_TASKS_CACHE", str(tmp_path / "cache"))
    corpus, _ = load(made_videos.write_folder(tmp_path / "films"))
    default = dataclasses.replace(corpus, name="moving_digits/small", source="https://a.set")
    assert evaluate._example(default, tmp_path) == evaluate.EXAMPLE
    other = dataclasses.replace(corpus, name="ucf101", source="https://a.set")
    written = evaluate._example(other, tmp_path)
    assert written == str(tmp_path / "example.avi")
    shown = list(video_files.frames(tmp_path / "example.avi"))
    assert len(shown) == corpus.test.lengths[0]
    assert abs(shown[0][1].mean() - corpus.test.read(slice(0, 1))[0][0].mean()) < 3
