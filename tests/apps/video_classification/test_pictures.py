import numpy as np
import pytest
from matplotlib import image

from apps.video_classification import pictures


@pytest.mark.parametrize("length", [1, 5, 16])
@pytest.mark.parametrize("size", [(20, 30), (60, 24)])
def test_a_strip_shows_the_first_and_the_last_real_frame(tmp_path, length, size):
    frames = np.zeros((16, *size, 3), np.uint8)
    frames[0] = (250, 0, 0)
    frames[length - 1] = (0, 0, 250)
    frames[length:] = (0, 250, 0)  # padding
    plot = pictures.strip(tmp_path, "strip", "a title", frames, length, "left")
    shown = image.imread(plot.light)[..., :3].reshape(-1, 3)
    assert (shown[:, 2] > shown[:, :2].max(axis=1) + 0.5).any()
    assert (shown[:, 0] > shown[:, 1:].max(axis=1) + 0.5).any() == (length > 1)
    assert not (shown[:, 1] > shown[:, ::2].max(axis=1) + 0.5).any()


def test_the_timeline_names_what_comes_when(tmp_path):
    probabilities = np.eye(3)[[0, 0, 2, 2, 1]]
    seconds = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    plot = pictures.timeline(tmp_path, "line", "title", seconds, probabilities, ("a", "b", "c"))
    assert plot.alternative == "The likeliest label: a from 0.0 s, c from 1.0 s, b from 2.0 s."
    one = pictures.timeline(tmp_path, "one", "t", seconds[:1], probabilities[:1], ("a", "b", "c"))
    assert one.light.is_file()
