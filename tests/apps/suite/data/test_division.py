import collections

import pytest

from apps.suite import errors
from apps.suite.data import video_division
from apps.video_classification.clips import PARTS, Video
from apps.video_classification.config import ClipConfig, Config, OwnConfig


def videos(groups=20, each=4, labels=("a", "b")):
    return [
        Video(f"{group}-{number}", labels[(group + number) % len(labels)], f"film {group}")
        for group in range(groups)
        for number in range(each)
    ]


def config(**own):
    return Config(own=OwnConfig(**own))


def groups_of(found, parts, part):
    return {video.group for video, each in zip(found, parts, strict=True) if each == part}


def test_no_group_is_on_two_sides_and_shares_are_about_as_asked():
    found = videos()
    parts, sentence = video_division.divide(found, "", config())
    sides = [groups_of(found, parts, part) for part in PARTS]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 20
    counts = collections.Counter(parts)
    assert 0.1 <= counts["test"] / len(found) <= 0.2
    assert 0.1 <= counts["validation"] / len(found) <= 0.2
    assert sentence.startswith("by group: ")
    assert f"{len(sides[0])} groups ({counts['train']} videos) train" in sentence


def test_labels_are_spread_alike():
    found = videos(40, 2, "aab")
    parts, _ = video_division.divide(found, "", config())
    for part in PARTS:
        mine = [video.label for video, each in zip(found, parts, strict=True) if each == part]
        assert 0.5 < mine.count("a") / len(mine) < 0.8


def test_folds_are_every_group_once_as_test_and_never_in_two_parts():
    found = videos(17)
    tested: list[str] = []
    for fold in range(5):
        parts, sentence = video_division.divide(found, "", config(folds=5, fold=fold))
        sides = [groups_of(found, parts, part) for part in PARTS]
        assert sum(map(len, sides)) == 17
        assert all(sides)
        tested += sides[2]
        assert sentence.startswith(f"fold {fold + 1} of 5, by group: ")
    assert sorted(tested) == sorted({video.group for video in found})


def test_the_seed_decides_and_nothing_else():
    found = videos()
    first = video_division.divide(found, "", Config(seed=1))
    assert video_division.divide(found, "", Config(seed=1)) == first
    assert video_division.divide(found, "", Config(seed=2)) != first


def test_without_groups_the_sentence_says_so():
    found = [video._replace(group="") for video in videos()]
    _, sentence = video_division.divide(found, "", config())
    assert sentence.startswith("by file, as there are no groups: 5")
    assert sentence.endswith("clips of one scene may be on two sides")


def test_parts_that_the_data_say_stand():
    found = [video._replace(part=PARTS[int(video.group[5:]) % 3]) for video in videos()]
    parts, sentence = video_division.divide(found, "the column part of a.csv", config())
    assert parts == [video.part for video in found]
    assert sentence.startswith("the column part of a.csv: 7 groups (28 videos) train, ")


def test_a_part_that_the_data_lack_is_taken_from_train_alone():
    found = [
        video._replace(part="test" if video.group < "film 12" else "train") for video in videos()
    ]
    parts, sentence = video_division.divide(found, "the splits of x", config())
    for video, part in zip(found, parts, strict=True):
        assert (part == "test") == (video.part == "test")
    assert parts.count("validation") > 0
    assert sentence.startswith("the splits of x; what they lack by group")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([*videos(2), Video("x", "a")], "x: has no group, others have one"),
        (videos(1), "all videos are of one group, 'film 0': give more groups"),
        (
            [
                Video("x", "a", "one", "train"),
                Video("y", "b", "one", "test"),
                Video("z", "b", "two", "validation"),
            ],
            "group 'one' is on two sides: x in train, y in test",
        ),
        (videos(2, 1, "ab"), "2 videos of 2 labels are too few to divide"),
    ],
)
def test_what_cannot_be_divided_is_told(found, message):
    with pytest.raises(errors.UserError, match=message):
        video_division.divide(found, "", config())


def test_three_groups_are_enough():
    parts, _ = video_division.divide(videos(3), "", Config(clips=ClipConfig(test_fraction=0.34)))
    assert set(parts) == set(PARTS)


def test_the_fold_behind_the_tested_one_validates_if_it_is_to_and_every_group_does_once():
    found = videos(17)
    folds = [video_division.divide(found, "", config(folds=5, fold=fold))[0] for fold in range(5)]
    for fold in range(5):
        parts, _ = video_division.divide(
            found, "", config(folds=5, fold=fold, validation_fold=True)
        )
        behind = folds[(fold + 1) % 5]
        assert groups_of(found, parts, "test") == groups_of(found, folds[fold], "test")
        assert groups_of(found, parts, "validation") == groups_of(found, behind, "test")
