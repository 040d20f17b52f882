import numpy as np
import pytest

from apps.video_classification import clips, scoring
from tests.apps.video_classification import small_run


def held(lengths, videos, labels=None):
    store = np.stack([small_run.video(seed=at) for at in range(len(lengths))])
    return clips.Clips(
        store=store,
        rows=np.arange(len(lengths)),
        lengths=np.array(lengths, np.int32),
        labels=np.zeros(len(lengths), np.int32) if labels is None else labels,
        video=np.array(videos, np.int32),
        names=tuple(f"video {at}" for at in range(max(videos) + 1)),
    )


@pytest.fixture(scope="module")
def made():
    config = small_run.config(pooling="last")
    return config, small_run.built(config)


def test_clips_are_answered_one_like_the_other_whatever_their_batch(made):
    _, trained = made
    part = held([6, 3] * 20, range(40))  # more than a batch
    found = scoring.Scorer(trained)(part)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    for row in (0, 33, 39):
        logits = np.asarray(
            trained({"frames": part.read(slice(row, row + 1)), "length": part.lengths[[row]]})
        )[0]
        np.testing.assert_allclose(found[row], np.exp(logits) / np.exp(logits).sum(), atol=1e-5)


def test_mirrored_clips_are_averaged_with_the_others(made):
    _, trained = made
    part = held([6, 6], [0, 1])
    mirrored = held([6, 6], [0, 1])
    mirrored.store[:] = mirrored.store[:, :, :, ::-1].copy()
    ask = scoring.Scorer(trained)
    expected = (ask(part) + ask(mirrored)) / 2
    np.testing.assert_allclose(ask(part, flip=True), expected, atol=1e-6)
    assert np.abs(ask(part) - ask(mirrored)).max() > 1e-3


def test_a_video_is_the_mean_of_its_clips():
    part = held([6, 6, 6], [0, 0, 1])
    of_clips = np.array([[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]], np.float32)
    expected = [[0.75, 0.25], [0.2, 0.8]]
    np.testing.assert_allclose(scoring.of_videos(of_clips, part), expected)


@pytest.mark.parametrize("kind", small_run.EVERY_KIND, ids=lambda kind: "-".join(map(str, kind)))
def test_after_all_frames_it_says_what_it_says_of_the_clip(kind):
    config = small_run.config(**kind)
    trained, part = small_run.built(config), held([6, 4, 6], [0, 1, 1])
    found = scoring.by_frames_seen(trained, config, part)
    assert found.shape == (6, 2, 4)
    whole = scoring.of_videos(scoring.Scorer(trained)(part), part)
    np.testing.assert_allclose(found[-1], whole, atol=1e-5)
    assert np.abs(found[0] - found[-1]).max() > 1e-3


def test_after_some_frames_it_knows_nothing_of_the_others(made):
    config, trained = made
    one, other = held([6], [0]), held([6], [0])
    other.store[:, 3:] = 255 - other.store[:, 3:]
    found, changed = (scoring.by_frames_seen(trained, config, part) for part in (one, other))
    np.testing.assert_array_equal(found[:3], changed[:3])
    assert np.abs(found[3:] - changed[3:]).max() > 1e-3
