"""The demo page tells the boxes that `predict` tells."""

import pytest

from apps.object_detection import demo, export, predict
from apps.suite import errors
from apps.suite.export import asking
from apps.suite.videos import video_files
from tests.apps.object_detection import small_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    small_run.write(folder / "run")
    export.export(folder / "run", folder / "exports")
    with asking.exports(folder / "exports") as (found,):
        yield found


def test_a_clip_is_shown_with_as_many_objects_as_predict_finds(model, tmp_path):
    file = tmp_path / "clip.avi"
    video_files.write(file, small_run.video(11, 48, 60))
    objects = {box.id for box in predict.find(model, file, 0.4).boxes}
    page = demo.page(model, str(file), 0.4)
    assert objects
    assert f"{len(objects)} object" in page
    assert "8 frames with the boxes" in page
    assert "<table" in page


def test_a_threshold_that_nothing_reaches_leaves_no_table(model, tmp_path):
    file = tmp_path / "clip.avi"
    video_files.write(file, small_run.video(2))
    page = demo.page(model, str(file), 1.0)
    assert "0 objects" in page
    assert "<table" not in page


def test_what_is_not_a_clip_is_told(model, tmp_path):
    with pytest.raises(errors.UserError, match="no clip yet"):
        demo.page(model, None, 0.4)
    file = tmp_path / "broken.mp4"
    file.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 500)
    with pytest.raises(errors.UserError, match=r"^broken\.mp4 "):
        demo.page(model, str(file), 0.4)
