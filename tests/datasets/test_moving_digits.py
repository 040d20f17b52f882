import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.suite.data import named_sets

FOLDER = Path(__file__).resolve().parents[2] / "datasets/moving_digits"
PARTS = ("train", "validation", "test")
MOTIONS = ["right", "left", "up", "down", "circle", "bounce", "zoom", "rotate", "still"]


def prepared(folder, name="moving_digits/small"):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(folder))
        return named_sets.prepare(name)


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("tfds"))


def read(builder):
    return {
        part: list(builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator())
        for part in PARTS
    }


@pytest.fixture(scope="module")
def examples(builder):
    return read(builder)


@pytest.fixture(scope="module")
def clip():
    spec = importlib.util.spec_from_file_location("render_clip_alone", FOLDER / "render_clip.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_motion_has_as_many_clips(builder, examples):
    assert builder.info.features["label"].names == MOTIONS
    for part, count in zip(PARTS, (24, 6, 10), strict=True):
        labels = np.bincount([example["label"] for example in examples[part]])
        assert labels.tolist() == [count] * 9
        for example in examples[part]:
            assert example["video"].shape == (16, 32, 32, 3)
            assert example["video"].dtype == np.uint8


def test_an_image_of_a_digit_is_in_one_part_only_and_all_digits_in_each(examples):
    images = {part: {int(e["image"]) for e in examples[part]} for part in PARTS}
    assert sum(map(len, images.values())) == len(set.union(*images.values()))
    for part in PARTS:
        assert {int(example["digit"]) for example in examples[part]} == set(range(10))


def test_images_are_divided_without_rest():
    builder = sys.modules["moving_digits_dataset_builder"]
    parts = [builder._images_of(part, 1_797) for part in PARTS]
    assert sorted(np.concatenate(parts).tolist()) == list(range(1_797))


def test_another_process_makes_the_same_clips(examples, tmp_path):
    program = "from apps.suite.data import named_sets; named_sets.prepare('moving_digits/small')"
    environment = {"TFDS_DATA_DIR": str(tmp_path), "PATH": "/usr/bin", "HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", program], check=True, env=environment, cwd=FOLDER.parents[1]
    )
    again = read(prepared(tmp_path))
    for part in PARTS:
        for one, other in zip(examples[part], again[part], strict=True):
            assert one["label"] == other["label"]
            np.testing.assert_array_equal(one["video"], other["video"])


def drawn(clip, motion, count, seed=0):
    """Where the digit is in each frame: across, down, angle, size; [count, frames] each."""
    random = np.random.default_rng(seed)
    poses = [clip._moving(motion, random) for _ in range(count)]
    return [np.stack(each) for each in zip(*poses, strict=True)]


def test_in_a_single_frame_place_angle_and_size_are_drawn_alike_whatever_the_motion(clip):
    from scipy import stats

    still = drawn(clip, "still", 4_000)
    for number, motion in enumerate(MOTIONS[:-1], 1):
        moving = drawn(clip, motion, 4_000, seed=number)
        for frame in (0, 7, 15):
            for place, period in enumerate((32, 32, 2 * np.pi, np.inf)):
                ours, theirs = (each[place][:, frame] % period for each in (moving, still))
                assert stats.ks_2samp(ours, theirs).pvalue > 1e-4, (motion, frame, place)


def test_motions_go_where_their_names_say(clip):
    for motion, sign in {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}.items():
        across, down, angle, size = drawn(clip, motion, 50)
        path = np.stack([across[:, -1] - across[:, 0], down[:, -1] - down[:, 0]], axis=1)
        length = np.linalg.norm(path, axis=1)
        assert length.min() > 12
        assert (path @ np.array(sign) / length).min() > np.cos(np.pi / 12) - 1e-6
        assert np.ptp(angle, axis=1).max() == np.ptp(size, axis=1).max() == 0
    for motion, moved in {
        "circle": 0b1100,
        "bounce": 0b0100,
        "zoom": 1,
        "rotate": 2,
        "still": 0,
    }.items():
        ranges = [np.ptp(each, axis=1) for each in drawn(clip, motion, 50)]
        for place, extent in enumerate(ranges):
            if moved >> (3 - place) & 1:
                assert extent.min() > 0.5
            else:
                assert extent.max() == 0


def test_the_frames_show_what_the_pose_says(clip):
    """The digit's centre of mass, found in the pixels, goes where it should."""
    digit = np.zeros((8, 8))
    digit[2:6, 2:6] = 16
    random = np.random.default_rng(5)
    frames = np.zeros((16, 32, 32, 3))
    pose = clip._Pose(np.linspace(10, 20, 16), np.full(16, 14.0), np.zeros(16), np.full(16, 12.0))
    found = clip._drawn(frames, digit, pose, random).sum(axis=-1)
    grid = np.arange(32) + 0.5
    mass = found.sum(axis=(1, 2))
    np.testing.assert_allclose((found.sum(1) @ grid) / mass, pose.across, atol=0.1)
    np.testing.assert_allclose((found.sum(2) @ grid) / mass, pose.down, atol=0.1)


def single_frame_accuracy(examples):
    """Of a logistic regression on the middle frames' pixels, on the test part."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pixels, labels = {}, {}
    for part in ("train", "test"):
        frames = np.stack([example["video"][8] for example in examples[part]])
        pixels[part] = frames.mean(axis=-1).reshape(len(frames), -1)
        labels[part] = [int(example["label"]) for example in examples[part]]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-4, max_iter=300))
    return model.fit(pixels["train"], labels["train"]).score(pixels["test"], labels["test"])


def test_a_single_frame_does_not_tell_the_motion(examples):
    assert single_frame_accuracy(examples) < 0.25


@pytest.mark.slow
def test_a_single_frame_does_not_tell_the_motion_with_all_clips(tmp_path):
    builder = prepared(tmp_path, "moving_digits/full")
    examples = read(builder)
    assert [len(examples[part]) for part in PARTS] == [3_240, 540, 720]
    assert single_frame_accuracy(examples) < 0.17
