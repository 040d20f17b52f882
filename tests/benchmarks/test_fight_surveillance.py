import csv
from pathlib import Path

import pytest

from apps.suite.data import division
from apps.suite.data.labelled_files import Example
from apps.video_classification import config as configs
from benchmarks import fight_surveillance

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "fight-surv"
LISTING = """https://example.org/one
fi001: 0.13.50 - 0.15.60
nofi001: 2.34.70 - 2.37.80
https://example.org/two

fi002: 1.30.00 - 1.32.50


nofi062 - nofi076 : CamNet Dataset
"""


@pytest.fixture
def folder(tmp_path):
    for label, names in {"fight": ("fi001", "fi002"), "noFight": ("nofi001", "nofi063")}.items():
        (tmp_path / "clips" / label).mkdir(parents=True)
        for name in names:
            (tmp_path / "clips" / label / f"{name}.mp4").touch()
    (tmp_path / "videos.txt").write_text(LISTING)
    return tmp_path


def test_clips_of_one_address_are_a_group_and_those_of_none_are_one(folder):
    clips = fight_surveillance.read(folder)
    found = {clip.file.stem: (clip.label, clip.source.rsplit("/")[-1]) for clip in clips}
    assert found == {
        "fi001": ("fight", "one"),
        "fi002": ("fight", "two"),
        "nofi001": ("noFight", "one"),
        "nofi063": ("noFight", fight_surveillance.NO_SOURCE),
    }


def test_the_csv_names_every_clip_with_its_group(folder):
    file = folder / "runs" / "clips.csv"
    fight_surveillance.write_csv(fight_surveillance.read(folder), file)
    with file.open(newline="") as rows:
        found = list(csv.DictReader(rows))
    assert len(found) == 4
    assert all(Path(row["path"]).is_file() and row["label"] and row["group"] for row in found)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"no videos\.txt"):
        fight_surveillance.read(tmp_path)


def test_the_table_has_the_mean_of_the_folds():
    def metrics(model, baseline):
        return {
            "test": {"accuracy": model},
            "baselines": {"single frame": {"accuracy": baseline}},
            "data": {"examples": {"test": 60}},
            "train_seconds": 50.0,
        }

    shown = fight_surveillance.table({0: metrics(0.7, 0.5), 3: metrics(0.8, 0.6)})
    rows = {line[:20].strip(): line[20:].split() for line in shown.splitlines()}
    assert rows["accuracy, %"] == ["fold", "0", "fold", "3", "mean"]
    assert rows["this model"] == ["70.0", "80.0", "75.0"]
    assert rows["single frame"] == ["50.0", "60.0", "55.0"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the fight data are not beside the project")
def test_no_source_is_on_two_sides_of_any_fold_and_every_clip_is_tested_once():
    clips = fight_surveillance.read(SHARED)
    assert len(clips) == 300
    videos = [Example(clip.file.stem, clip.label, clip.source) for clip in clips]
    tested = []
    for fold in range(fight_surveillance.FOLDS):
        own = configs.OwnConfig(folds=fight_surveillance.FOLDS, fold=fold)
        fractions = {"test": 0.15, "validation": 0.15}
        parts, _ = division.by_group(videos, "", own, fractions, 0, unit="videos")
        sides = {}
        for clip, part in zip(clips, parts, strict=True):
            assert sides.setdefault(clip.source, part) == part
        tested += [at for at, part in enumerate(parts) if part == "test"]
        labels = {clip.label for clip, part in zip(clips, parts, strict=True) if part == "test"}
        assert labels == set(fight_surveillance.LABELS)
    assert sorted(tested) == list(range(300))
