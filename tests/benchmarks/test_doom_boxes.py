"""The benchmark's settings are the task's, its table is whole, and the data are as they say."""

from pathlib import Path

import numpy as np
import pytest

from apps.object_detection import config as configs
from apps.object_detection import own_videos
from apps.suite.commands import command
from benchmarks import doom_boxes
from tests.apps.object_detection import small_run

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "doom-boxes"
COUNTS = {
    "train": {"gunman": 1516, "creature": 318, "item": 942},
    "validation": {"gunman": 341, "creature": 58, "item": 244},
    "test": {"gunman": 698, "creature": 672, "item": 392},
}


def test_the_settings_are_fields_of_the_tasks_config():
    arguments = doom_boxes.arguments_of(doom_boxes.SETTINGS)
    config = command.train_options("object_detection", configs.PRESETS, arguments).config
    assert (config.frames.height, config.frames.width) == (120, 160)
    assert config.augmentation.highest_zoom_share == 0.3
    assert config.model.coarser_filters == (64, 96)


def test_the_table_leaves_open_what_is_not_known():
    of_model = {"ap50": 0.5, "ap": 0.25, "gaps_in_100_frames": 3.0, "jitter_in_pixels": 1.5}
    shown = doom_boxes.table({"test": of_model, "baselines": {"twin": {"ap50": 0.4, "ap": 0.2}}})
    _, model, twin = shown.splitlines()
    assert model.split()[-4:] == ["0.500", "0.250", "3.000", "1.500"]
    assert twin.split() == ["twin", "0.400", "0.200"]


def test_every_frame_is_streamed(tmp_path):
    from apps.suite.videos import video_files

    small_run.write(tmp_path / "run")
    video_files.write(tmp_path / "clip.avi", small_run.video(11, 48, 60))
    speed = doom_boxes.frames_a_second(tmp_path / "run", [tmp_path / "clip.avi"])
    assert np.isfinite(speed)
    assert speed > 0


@pytest.mark.skipif(not SHARED.is_dir(), reason="the clips are not beside the project")
def test_the_parts_hold_the_boxes_that_their_description_counts():
    found = own_videos.find(SHARED)
    for part, counts in COUNTS.items():
        labels = [row.label for each in found if each.part == part for row in each.rows]
        assert {label: labels.count(label) for label in counts} == counts
        assert len(labels) == sum(counts.values())
