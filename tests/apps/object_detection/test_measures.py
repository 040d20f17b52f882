"""Average precision is COCO's, and what does not count does not count."""

import contextlib
import io

import numpy as np
import pytest

from apps.object_detection import measures


def drawn(frames, classes, seed):
    """Objects, and boxes that find most of them more or less well, among false ones."""
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(frames):
        count = draw.integers(0, 5)
        corner = draw.uniform(0, 80, (count, 2))
        boxes = np.concatenate([corner, corner + draw.uniform(5, 40, (count, 2))], axis=1)
        labels = draw.integers(0, classes, count)
        kept = draw.random(count) < 0.8
        moved = boxes[kept] + draw.normal(0, 2, (kept.sum(), 4))
        false = draw.uniform(0, 60, (draw.integers(0, 4), 2))
        false = np.concatenate([false, false + draw.uniform(5, 30, false.shape)], axis=1)
        found = np.concatenate([moved, false])
        guessed = np.concatenate([labels[kept], draw.integers(0, classes, len(false))])
        scores = draw.random(len(found))  # none twice: who comes first is then a matter of taste
        made.append(measures.Frame(boxes, labels, found, scores, guessed))
    return made


def by_coco(frames, classes):
    coco_eval = pytest.importorskip("faster_coco_eval", reason="faster-coco-eval is not installed")

    def sides(box):
        left, top, right, bottom = (float(each) for each in box)
        return [left, top, right - left, bottom - top]

    objects = [
        {"image_id": at + 1, "category_id": int(label), "bbox": sides(box), "iscrowd": 0,
         "area": float(np.prod(box[2:] - box[:2]))}
        for at, frame in enumerate(frames)
        for box, label in zip(frame.boxes, frame.labels, strict=True)
    ]  # fmt: skip
    content = {
        "images": [{"id": at + 1, "width": 200, "height": 200} for at in range(len(frames))],
        "categories": [{"id": kind, "name": str(kind)} for kind in range(classes)],
        "annotations": [{"id": number, **each} for number, each in enumerate(objects, 1)],
    }
    found = [
        {"image_id": at + 1, "category_id": int(kind), "bbox": sides(box), "score": float(score)}
        for at, frame in enumerate(frames)
        for box, score, kind in zip(frame.found, frame.scores, frame.classes, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_eval.COCO(content)
        evaluation = coco_eval.COCOeval_faster(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[:2]


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_that_of_coco(seed):
    frames = drawn(60, 4, seed)
    ours = measures.scores(measures.match(frames, 4), np.zeros(60, bool))
    ap, ap50 = by_coco(frames, 4)
    assert ours["ap"] == pytest.approx(ap, abs=1e-6)
    assert ours["ap50"] == pytest.approx(ap50, abs=1e-6)
    assert 0.2 < ap50 < 0.98


BOX = np.array([[0.0, 0.0, 10.0, 10.0]])


def frame(labels, scores=(0.9,), classes=(0,), found=BOX):
    return measures.Frame(BOX, np.array(labels), found, np.array(scores), np.array(classes))


def test_a_box_over_an_object_that_does_not_count_is_neither_right_nor_wrong():
    frames = [frame([0]), frame([-2], scores=(0.95,))]
    assert measures.scores(measures.match(frames, 1), np.zeros(2, bool))["ap50"] == 1
    frames[1] = frame([-2], scores=(0.95,), found=BOX + 50)
    assert measures.scores(measures.match(frames, 1), np.zeros(2, bool))["ap50"] == 0.5


def test_an_object_is_found_once():
    twice = frame([0], scores=(0.9, 0.8), classes=(0, 0), found=np.repeat(BOX, 2, axis=0))
    matches = measures.match([twice], 1)
    assert matches.hits[:, 0].tolist() == [True, False]


def test_frames_that_failed_are_measured_apart():
    frames = [frame([0]), frame([0], classes=(1,))]
    found = measures.scores(measures.match(frames, 2), np.array([False, True]))
    assert found["ap50_of_failed_frames"] == 0
    assert found["ap50_of_other_frames"] == 1


def test_classes_without_an_object_are_left_out_of_the_mean():
    assert np.isnan(measures.by_class(measures.match([frame([0])], 3))[1:]).all()
