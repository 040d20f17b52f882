import numpy as np
import pytest
import tensorflow_datasets as tfds

from apps.suite import errors
from apps.suite.videos import fitting, sampling
from apps.video_classification import data, set_data
from apps.video_classification.config import ClipConfig, Config
from tests.apps.video_classification.made_videos import numbered

pytestmark = pytest.mark.usefixtures("own_sets")

LABELS = ("run", "sit")
SIZE = ClipConfig(frames=5, height=24, width=24)


def frames_of(split, number):
    """Another count and size for each; the red half tells split and number."""
    frames = numbered(4 + number, 20 + 2 * number, 30)
    frames[:, :, :15, 0] = 50 * (split == "test") + number
    return frames


class ActionsInTwoSplits(tfds.core.GeneratorBasedBuilder):
    """As the set ucf101 is: features `video` and `label`, splits train and test."""

    VERSION = tfds.core.Version("1.0.0")
    COUNTS = {"train": 24, "test": 6}  # noqa: RUF012
    OTHERS: dict[str, object] = {}  # noqa: RUF012

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "video": tfds.features.Video(shape=(None, None, None, 3)),
                    "label": tfds.features.ClassLabel(names=LABELS),
                    **self.OTHERS,
                }
            ),
            homepage="https://example.org/actions",
            license="CC0",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in self.COUNTS}

    def _generate_examples(self, split):
        for number in range(self.COUNTS[split]):
            example = {"video": list(frames_of(split, number)), "label": LABELS[number % 2]}
            yield number, {**example, **dict.fromkeys(self.OTHERS, f"scene {number // 4}")}


class ActionsOfScenes(ActionsInTwoSplits):
    COUNTS = {"train": 40}  # noqa: RUF012
    OTHERS = {"scene": tfds.features.Text()}  # noqa: RUF012


class ActionsOfTestAlone(ActionsInTwoSplits):
    COUNTS = {"test": 4}  # noqa: RUF012


class StillActions(ActionsInTwoSplits):
    COUNTS = {"train": 1}  # noqa: RUF012

    def _generate_examples(self, split):
        yield 0, {"video": [], "label": "run"}


def test_videos_of_any_count_and_size_are_sampled_as_files_are():
    source, store = set_data.find("actions_in_two_splits", SIZE, 3)
    assert len(source.videos) == 30
    assert source.label_names == LABELS
    assert source.licence == "CC0"
    assert source.videos[25] == ("test/00001", "sit", "", "test")
    for video, split, number in (
        (0, "train", 0),
        (1, "train", 1),
        (9, "train", 9),
        (29, "test", 5),
    ):
        frames = frames_of(split, number)
        chosen = sampling.frame_indices(len(frames), 5, 3)
        small = {place: fitting.fit(frame, SIZE) for place, frame in enumerate(frames)}
        kept = store.frames[store.video == video]
        np.testing.assert_array_equal(kept, fitting.stacked(small, chosen, SIZE))
        assert store.lengths[store.video == video].tolist() == [min(5, len(frames))] * len(kept)


def test_its_own_test_part_stands_and_validation_comes_from_train():
    found = data.load(Config(data="actions_in_two_splits", clips=SIZE))
    assert found.test.names == tuple(f"test/{number:05d}" for number in range(6))
    assert found.counts["validation"] >= 2
    assert found.split.startswith(
        "the splits of actions_in_two_splits/1.0.0; what they lack by file, as there are no groups"
    )


def test_scenes_are_groups():
    found = data.load(Config(data="actions_of_scenes", clips=SIZE))
    parts = [set(part.groups) for part in (found.train, found.validation, found.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 10
    assert found.split.startswith("by group: ")


def test_a_second_call_reads_what_is_kept(monkeypatch):
    _, first = set_data.find("actions_of_scenes", SIZE, 1)
    monkeypatch.setattr(set_data, "_sampled", None)
    _, second = set_data.find("actions_of_scenes", SIZE, 1)
    np.testing.assert_array_equal(first.frames, second.frames)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("actions_of_test_alone", "has no split train, only test"),
        ("still_actions", r"train/00000 is of the shape .*at least one frame is needed"),
    ],
)
def test_a_set_that_cannot_be_learned_is_told(name, message):
    with pytest.raises(errors.UserError, match=message):
        set_data.find(name, SIZE, 1)
