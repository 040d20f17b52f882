"""Objects keep their numbers, and what is written tells the same boxes."""

import csv
import json

import numpy as np
import pytest

from apps.object_detection import predict, tracks
from apps.suite.videos import video_files
from tests.apps.object_detection import small_run


def test_an_object_keeps_its_number_while_it_is_lost_for_a_while():
    tracker = tracks.Tracker()
    box, other = np.array([0.0, 0, 10, 10]), np.array([60.0, 60, 75, 75])
    numbers = [tracker.follow(np.stack([box + 3 * t, other])) for t in range(4)]
    assert numbers == [[1, 2]] * 4
    for _ in range(3):
        assert tracker.follow(other[None]) == [2]
    assert tracker.follow(np.stack([other, box + 3 * 7])) == [2, 1]
    for _ in range(7):
        tracker.follow(np.zeros((0, 4)))
    assert tracker.follow(other[None]) == [3]


@pytest.mark.slow
def test_csv_coco_and_copy_tell_what_is_answered(tmp_path):
    made = small_run.write(tmp_path / "run")
    file = tmp_path / "clip.avi"
    video_files.write(file, small_run.video(11, 48, 60))
    options = predict.Options(
        (file,), tmp_path / "run", threshold=0.4, csv=tmp_path / "b.csv",
        coco=tmp_path / "b.json", annotated=tmp_path / "copies",
    )  # fmt: skip
    (answer,) = predict.predict(options)
    assert (answer.frames, answer.height, answer.width) == (11, 48, 60)
    assert answer.boxes
    assert {box.label for box in answer.boxes} <= set(made.label_names)
    assert all(box.score >= 0.4 for box in answer.boxes)
    assert all(box.x >= 0 and box.x + box.width <= 60.01 for box in answer.boxes)
    rows = list(csv.DictReader((tmp_path / "b.csv").read_text().splitlines()))
    assert [int(row["frame"]) for row in rows] == [box.frame for box in answer.boxes]
    content = json.loads((tmp_path / "b.json").read_text())
    assert len(content["images"]) == 11
    boxes = [each["bbox"] for each in content["annotations"]]
    np.testing.assert_allclose(boxes, [box[5:9] for box in answer.boxes])
    assert min(each["id"] for each in content["annotations"]) == 1
    assert sum(1 for _ in video_files.frames(tmp_path / "copies" / "clip.mp4")) == 11


def test_an_input_is_not_written_over(tmp_path, capsys):
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"film")
    status = predict.main([str(file), "--annotated", str(tmp_path)])
    assert status == 2
    assert "would be written over an input" in capsys.readouterr().err
    assert file.read_bytes() == b"film"
