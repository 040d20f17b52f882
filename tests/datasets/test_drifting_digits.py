"""The drifting digits: boxes hold what is drawn, failed frames are few, parts share no digit."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "datasets" / "drifting_digits"
DIGIT = np.zeros((8, 8))
DIGIT[1:7, 2:6] = 16


@pytest.fixture(scope="module")
def clip():
    spec = importlib.util.spec_from_file_location("render", FOLDER / "render_clip.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rendered(clip):
    draw = np.random.default_rng(0)
    return [clip.render(np.stack([DIGIT] * (1 + n % 4)), DIGIT[None], draw) for n in range(40)]


def test_the_same_draw_gives_the_same_clip(clip):
    one, other = (clip.render(DIGIT[None], DIGIT[None], np.random.default_rng(3)) for _ in "ab")
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_two_to_five_frames_fail_and_never_the_first_two(clip, rendered):
    for each in rendered:
        assert 2 <= np.count_nonzero(each.failed) <= 5
        assert not each.failed[:2].any()
    assert {kind for each in rendered for kind in each.failed} == set(range(len(clip.FAILURES)))


def test_boxes_lie_in_the_picture_and_move_steadily_through_failed_frames(clip, rendered):
    for each in rendered:
        left, top, right, bottom = np.moveaxis(each.boxes, -1, 0)
        assert ((left >= 0) & (top >= 0) & (right <= clip.SIZE) & (bottom <= clip.SIZE)).all()
        assert ((right - left >= 1) & (bottom - top >= 1)).all()
        if len(each.boxes) == 1:  # nothing covers it
            assert np.abs(np.diff(each.boxes, axis=1)).max() <= 4
            assert not each.hidden.any()


def test_a_box_is_that_of_the_pixels_that_differ(clip):
    """On a ground without texture and noise, by the change of the picture itself."""
    scene = np.zeros((clip.FRAMES, clip.SIZE, clip.SIZE))
    path = np.stack([np.linspace(20, 40, clip.FRAMES), np.linspace(30, 15, clip.FRAMES)], axis=1)
    cover = clip._draw(scene, DIGIT, path, 16.0, 1.0)
    np.testing.assert_array_equal(scene, cover)
    for frame, (down, across) in enumerate(path):
        left, top, right, bottom = clip._box(cover[frame] >= 0.35)
        assert abs((top + bottom) / 2 - down) < 1.1
        assert abs((left + right) / 2 - across) < 1.1
        assert 11 <= bottom - top <= 14
        assert 7 <= right - left <= 10


def test_a_digit_behind_another_is_hidden_and_keeps_the_box_of_all_of_it(clip, monkeypatch):
    still = np.full((clip.FRAMES, 2), 30.0)
    monkeypatch.setattr(clip, "_path", lambda size, random: still)
    found = clip.render(np.stack([DIGIT, DIGIT]), DIGIT[:0], np.random.default_rng(1))
    sizes = found.boxes[:, 0, 3] - found.boxes[:, 0, 1]
    assert found.hidden[0].all() == (sizes[0] <= sizes[1])
    assert not found.hidden[1].any()


@pytest.mark.slow
def test_the_builder_gives_every_object_of_every_frame_and_parts_share_no_digit(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    from apps.suite.data import named_sets

    builder = named_sets.prepare("drifting_digits/small")
    counts = {part: split.num_examples for part, split in builder.info.splits.items()}
    assert counts == {"train": 32, "validation": 8, "test": 16}
    for example in builder.as_dataset(split="test").as_numpy_iterator():
        objects = example["objects"]
        tracks = np.unique(objects["track"])
        assert len(objects["frame"]) == len(tracks) * len(example["video"])
        for track in tracks:
            mine = objects["track"] == track
            assert np.array_equal(np.sort(objects["frame"][mine]), np.arange(16))
            assert len(set(objects["label"][mine])) == 1
    import drifting_digits_dataset_builder as module  # type: ignore[import-not-found]

    images = [module._images_of(part, 1_797) for part in counts]
    assert sorted(np.concatenate(images).tolist()) == list(range(1_797))
