import dataclasses
import shutil

import numpy as np
import pytest

from apps.suite import errors
from apps.video_classification import data
from apps.video_classification.config import (
    PRESETS,
    ClipConfig,
    Config,
    EvaluationConfig,
    OwnConfig,
)
from tests.apps.video_classification import made_videos

pytestmark = pytest.mark.usefixtures("own_sets")

SMALL = ClipConfig(frames=6, height=24, width=32, clips_per_video=3)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return made_videos.write_folder(tmp_path_factory.mktemp("own") / "films", films=8)


def config(path, clips=SMALL, evaluation=None, **own):
    own = {"group_pattern": r"^(film\d)_", **own}
    evaluation = evaluation or EvaluationConfig(clips_per_video=2)
    return Config(data=str(path), clips=clips, own=OwnConfig(**own), evaluation=evaluation)


@pytest.fixture(scope="module")
def corpus(films):
    return data.load(config(films))


def test_parts_hold_every_video_once_and_no_group_twice(corpus):
    parts = [corpus.train, corpus.validation, corpus.test]
    names = [name for part in parts for name in part.names]
    assert len(names) == len(set(names)) == 32
    groups = [set(part.groups) for part in parts]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 8
    assert corpus.counts == {
        "train": len(corpus.train.names),
        "validation": len(corpus.validation.names),
        "test": len(corpus.test.names),
    }
    assert corpus.split.startswith("by group: ")
    assert corpus.label_names == ("left", "right")
    assert corpus.skipped == ()


def test_clips_are_those_of_the_video_that_they_name(corpus):
    for part, count in ((corpus.train, 3), (corpus.test, 2)):
        assert len(part) == count * len(part.names)
        assert part.video.tolist() == np.repeat(np.arange(len(part.names)), count).tolist()
        frames = part.read(slice(None))
        assert frames.shape == (len(part), 6, 24, 32, 3)
        for video, name in enumerate(part.names):
            label, film, clip = name[:-4].partition("/")[0], int(name[-7]), int(name[-5])
            assert corpus.label_names[part.video_labels[video]] == label
            # `made_videos.write_folder` makes the left half lighter by so much
            mine = frames[part.video == video].astype(int)
            lighter = (mine[..., 2:14, :] - mine[..., 18:30, :]).mean()
            wanted = 60 * (label == "right") + 7 * film + 3 * clip
            assert abs(lighter - wanted) < 2


def test_the_fingerprint_follows_content_labels_and_parts(films, corpus, tmp_path):
    assert data.load(config(films)).fingerprint == corpus.fingerprint
    other = tmp_path / "films"
    shutil.copytree(films, other)
    assert data.load(config(other)).fingerprint == corpus.fingerprint
    made_videos.write(other / "left" / "film0_0.avi", made_videos.numbered(9))
    assert data.load(config(other)).fingerprint != corpus.fingerprint
    folded = data.load(config(films, folds=4, fold=1))
    assert folded.fingerprint != corpus.fingerprint


def test_videos_that_are_left_out_are_said(films, tmp_path):
    other = tmp_path / "films"
    shutil.copytree(films, other)
    (other / "left" / "film0_0.avi").write_bytes(b"")
    found = data.load(config(other, skip_unreadable=True))
    assert found.skipped == ("left/film0_0.avi: is empty",)
    assert sum(found.counts.values()) == 31
    names = [*found.train.names, *found.validation.names, *found.test.names]
    assert "left/film0_0.avi" not in names


def test_a_csv_with_groups_and_parts_is_taken_as_it_says(films):
    rows = ["path,label,group,part"]
    for film, part in enumerate(["train"] * 4 + ["validation"] * 2 + ["test"] * 2):
        for label in ("left", "right"):
            rows += [f"{label}/film{film}_{clip}.avi,{label},{film},{part}" for clip in (0, 1)]
    (films / "parts.csv").write_text("\n".join(rows))
    found = data.load(config(films / "parts.csv", group_pattern=""))
    assert set(found.test.groups) == {"6", "7"}
    assert found.split.startswith("the column part of parts.csv: 4 groups (16 videos) train")


def test_a_label_that_is_never_learned_is_told(films, tmp_path):
    rows = ["path,label,part"]
    for film, part in enumerate(("train", "train", "validation", "test")):
        right = "third" if part == "train" else "right"
        rows.append(f"{films}/left/film{film}_0.avi,left,{part}")
        rows.append(f"{films}/right/film{film}_0.avi,{right},{part}")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    message = (
        r"label 'right' is in validation \(.*/right/film2_0\.avi\) and not in train; add videos"
    )
    with pytest.raises(errors.UserError, match=message):
        data.load(config(tmp_path / "clips.csv", group_pattern=""))


def test_a_part_without_videos_is_told(films, tmp_path):
    rows = ["path,label,part"]
    for film in range(3):
        rows += [f"{films}/{label}/film{film}_0.avi,{label},train" for label in ("left", "right")]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    made = config(tmp_path / "clips.csv", group_pattern="")
    made = dataclasses.replace(made, clips=dataclasses.replace(SMALL, validation_fraction=0.0))
    with pytest.raises(errors.UserError, match=r"clips\.csv: no video in the part validation"):
        data.load(made)


def test_paths_that_are_not_there_are_told(tmp_path):
    for name in (tmp_path / "none", tmp_path / "none.csv", "./nowhere"):
        with pytest.raises(errors.UserError, match="no such file or folder"):
            data.load(config(name))


def test_the_default_data_are_the_moving_digits_with_their_own_parts():
    tiny = PRESETS["tiny"]
    found = data.load(tiny)
    assert found.counts == {"train": 216, "validation": 54, "test": 90}
    assert found.split.startswith("the splits of moving_digits/small/1.0.0: 216 videos train")
    assert found.label_names[:2] == ("right", "left")
    assert len(found.train) == 216  # a clip is all of its video
    assert found.train.groups is None
    first = next(iter(data.batches(found.train, 9, tiny)))
    assert first[0]["frames"].shape == (tiny.training.batch_size, 16, 32, 32, 3)
    larger = dataclasses.replace(tiny, clips=ClipConfig(frames=5, height=20, width=24))
    assert data.load(larger).train.store.shape == (360 * 3, 5, 20, 24, 3)


def test_a_set_without_videos_is_told():
    with pytest.raises(errors.UserError, match="spoken_commands/small: has no video feature"):
        data.load(Config(data="spoken_commands/small"))


def test_preprocessing_is_that_of_the_store(corpus, films):
    from apps.suite.videos import video_files

    made = config(films)
    name = corpus.train.names[0]
    frames = np.stack([frame for _, frame in video_files.frames(films / name)])
    served, lengths = data.preprocess(frames[None], [len(frames)], made)
    kept = corpus.train.read(slice(0, 3))[1]  # of three clips the second is the middle
    assert lengths.numpy().tolist() == [6]
    assert np.abs(served[0].numpy().astype(int) - kept).max() <= 1
