import dataclasses

import numpy as np

from apps.video_classification import batches as example_batches
from apps.video_classification.clips import Clips
from apps.video_classification.config import (
    AugmentationConfig,
    ClipConfig,
    Config,
    ModelConfig,
    TrainingConfig,
)

TIME, CLIPS = 4, 3
AS_IT_IS = AugmentationConfig(
    highest_shift_share=0, highest_zoom_share=0, highest_brightness=0, highest_contrast=0
)


def part(videos=7):
    """Frames whose red is the video, green the clip of the video and blue the place in time."""
    frames = np.zeros((videos * CLIPS + 2, TIME, 8, 8, 3), np.uint8)
    rows = np.arange(videos * CLIPS) + 2  # as in a store that holds other parts as well
    video = np.repeat(np.arange(videos), CLIPS).astype(np.int32)
    frames[2:, ..., 0] = video[:, None, None, None] + 1
    frames[2:, ..., 1] = (rows - 2)[:, None, None, None] % CLIPS
    frames[2:, ..., 2] = np.arange(TIME)[:, None, None]
    return Clips(
        store=frames,
        rows=rows,
        lengths=np.full(len(rows), TIME, np.int32),
        labels=(video >= videos - 2).astype(np.int32),
        video=video,
        names=tuple(map(str, range(videos))),
    )


def config(augmentation=AS_IT_IS, sampling="segment", per_frame=False, **training):
    return Config(
        seed=3,
        clips=ClipConfig(frames=TIME, height=8, width=8, sampling=sampling),
        augmentation=augmentation,
        model=ModelConfig(per_frame=per_frame),
        training=TrainingConfig(batch_size=5, **training),
    )


def batches(clips, made, count, first=0):
    return list(example_batches.endless(clips, 2, made, first).take(count).as_numpy_iterator())


def seen(found):
    """The videos of the batches in order."""
    return np.concatenate([batch[0]["frames"][:, 0, 0, 0, 0].astype(int) - 1 for batch in found])


def test_each_pass_has_every_video_once_in_an_order_of_its_own():
    order = seen(batches(part(), config(), 14))
    passes = order.reshape(-1, 7)
    assert (np.sort(passes, axis=1) == np.arange(7)).all()
    assert len({tuple(each) for each in passes}) > 5


def test_labels_and_lengths_are_those_of_the_videos():
    for inputs, labels in batches(part(), config(), 3):
        videos = inputs["frames"][:, 0, 0, 0, 0].astype(int) - 1
        np.testing.assert_array_equal(labels, np.eye(2)[(videos >= 5).astype(int)])
        assert inputs["length"].tolist() == [TIME] * 5
        assert inputs["length"].dtype == np.int32


def test_segment_draws_each_place_from_its_own_part_of_the_video():
    frames = np.concatenate([b[0]["frames"][:, :, 0, 0] for b in batches(part(), config(), 20)])
    assert (frames[..., 2] == np.arange(TIME)).all()
    assert (frames[..., 0] == frames[:, :1, 0]).all()
    drawn = frames[..., 1]
    assert np.bincount(drawn.ravel(), minlength=CLIPS).min() > 80
    assert (drawn != drawn[:, :1]).any(axis=1).mean() > 0.8


def test_uniform_and_window_take_one_whole_clip():
    for sampling in ("uniform", "window"):
        made = config(sampling=sampling)
        frames = np.concatenate([b[0]["frames"][:, :, 0, 0] for b in batches(part(), made, 20)])
        assert (frames[..., 1] == frames[:, :1, 1]).all()
        assert set(frames[:, 0, 1]) == {0, 1, 2}


def test_the_stream_is_a_function_of_the_seed_and_the_step():
    everything = AugmentationConfig(flip=True, erase_probability=0.5, highest_late_share=0.5)
    made = config(everything)
    whole = batches(part(), made, 6)
    again = batches(part(), made, 2, first=4)
    for one, other in zip(whole[4:], again, strict=True):
        np.testing.assert_array_equal(one[0]["frames"], other[0]["frames"])
        np.testing.assert_array_equal(one[0]["length"], other[0]["length"])
    other = batches(part(), dataclasses.replace(made, seed=4), 1)
    assert (whole[0][0]["frames"] != other[0][0]["frames"]).any()


def test_balanced_labels_are_equally_frequent():
    found = batches(part(), config(balance_labels=True), 40)
    labels = np.concatenate([batch[1] for batch in found])
    np.testing.assert_allclose(labels.mean(axis=0), 0.5, atol=0.01)
    assert set(seen(found)) == set(range(7))


def test_frames_behind_the_end_are_black_whatever_is_altered():
    clips = dataclasses.replace(part(), lengths=np.full(7 * CLIPS, 2, np.int32))
    [(inputs, _)] = batches(clips, config(AugmentationConfig(highest_brightness=0.3)), 1)
    assert not inputs["frames"][:, 2:].any()
    assert inputs["frames"][:, :2].any()


def test_late_starts_and_early_ends_leave_real_frames_in_order():
    made = config(dataclasses.replace(AS_IT_IS, highest_late_share=0.6))
    starts = set()
    for inputs, _ in batches(part(), made, 20):
        for frames, length in zip(inputs["frames"][:, :, 0, 0], inputs["length"], strict=True):
            assert 2 <= length <= TIME
            places = frames[:length, 2].astype(int)
            assert (np.diff(places) == 1).all()
            starts.add((places[0], length))
    assert {(0, 4), (0, 3), (1, 3)} <= starts


def test_per_frame_repeats_the_label_and_weighs_real_frames():
    clips = dataclasses.replace(part(), lengths=np.full(7 * CLIPS, 3, np.int32))
    [(inputs, labels, weights)] = batches(clips, config(per_frame=True), 1)
    videos = inputs["frames"][:, 0, 0, 0, 0].astype(int) - 1
    assert labels.shape == (5, TIME, 2)
    assert (labels.argmax(-1) == (videos >= 5)[:, None]).all()
    assert weights.tolist() == [[1, 1, 1, 0]] * 5
