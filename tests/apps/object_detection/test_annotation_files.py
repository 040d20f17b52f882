"""Boxes of every format come back to the pixel; what cannot be meant is refused by its place."""

import json

import numpy as np
import pytest
from PIL import Image

from apps.object_detection import data, own_videos
from apps.suite import errors
from apps.suite.videos import video_files
from tests.apps.object_detection import small_run

SIZE = (32, 48)  # height, width
BOX = [6.0, 4.0, 12.0, 8.0]  # x, y, width, height


def picture(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(small_run.video(1, *SIZE)[0]).save(file)


def csv_folder(
    folder, rows="1,7,6,4,12,8,car,0\n", header="frame,id,x,y,width,height,label,occluded"
):
    for name in ("a", "b", "c"):
        video_files.write(folder / f"{name}.avi", small_run.video(3, *SIZE, seed=ord(name)))
        (folder / f"{name}.csv").write_text(f"{header}\n{rows}")
    return folder


def coco_folder(folder, **changes):
    for frame in range(3):
        picture(folder / "street" / f"{frame}.png")
    content = {
        "images": [{"id": 10 + n, "file_name": f"street/{n}.jpg", "height": 32, "width": 48}
                   for n in range(3)],
        "categories": [{"id": 5, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 11, "category_id": 5, "bbox": BOX, "track_id": 7}],
        **changes,
    }  # fmt: skip
    (folder / "boxes.json").write_text(json.dumps(content))
    return folder


def mot_folder(folder, line="2,7,7,5,12,8,1,car,1\n"):
    for frame in range(1, 4):
        picture(folder / "one" / "img1" / f"{frame:06d}.jpg")
    (folder / "one" / "gt").mkdir()
    (folder / "one" / "gt" / "gt.txt").write_text(line)
    return folder


def yolo_folder(folder, line="0 0.25 0.25 0.25 0.25\n"):
    for frame in range(3):
        picture(folder / "images" / f"{frame}.png")
    (folder / "labels").mkdir()
    (folder / "labels" / "1.txt").write_text(line)
    (folder / "labels" / "2.txt").write_text("")
    (folder / "classes.txt").write_text("car\n")
    return folder


def cvat_folder(folder, box='outside="0" occluded="0" xtl="{}" ytl="4" xbr="{}" ybr="12"'):
    video_files.write(folder / "a.avi", small_run.video(5, *SIZE))
    boxes = [(1, box.format(6, 18)), (3, box.format(10, 22)),
             (4, box.format(10, 22).replace('outside="0"', 'outside="1"'))]  # fmt: skip
    inside = "".join(f'<box frame="{frame}" keyframe="1" {each}/>' for frame, each in boxes)
    (folder / "a.xml").write_text(
        "<annotations><meta><task><original_size><width>48</width><height>32</height>"
        "</original_size><source>a.avi</source><stop_frame>4</stop_frame></task></meta>"
        f'<track id="7" label="car">{inside}</track></annotations>'
    )
    return folder


def voc_folder(folder, box="<xmin>7</xmin><ymin>5</ymin><xmax>18</xmax><ymax>12</ymax>"):
    for frame in range(3):
        picture(folder / "JPEGImages" / f"{frame}.jpg")
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "1.xml").write_text(
        "<annotation><filename>1.jpg</filename><object><name>car</name>"
        f"<difficult>0</difficult><bndbox>{box}</bndbox></object></annotation>"
    )
    return folder


def with_entities(folder):
    (folder / "a.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>')
    return folder


EVERY = {"csv": csv_folder, "coco": coco_folder, "mot": mot_folder, "yolo": yolo_folder,
         "cvat": cvat_folder, "voc": voc_folder}  # fmt: skip


@pytest.mark.parametrize("kind", EVERY)
def test_a_box_is_where_its_format_says(kind, tmp_path):
    found = own_videos.find(EVERY[kind](tmp_path))
    row = found[0].rows[0]
    assert len(found[0].rows) == (3 if kind == "cvat" else 1)
    assert (row.frame, row.label) == (1, "car")
    assert row.track == (-1 if kind in ("yolo", "voc") else 7)
    np.testing.assert_allclose([row.x, row.y, row.width, row.height], BOX, atol=1e-6)
    frames = sum(1 for _ in data.read_frames(found[0].source))
    assert frames == (5 if kind == "cvat" else 3)


def test_boxes_between_two_of_a_cvat_track_lie_on_a_line_and_end_where_it_goes_outside(tmp_path):
    (video,) = own_videos.find(cvat_folder(tmp_path))
    assert [(row.frame, row.x) for row in video.rows] == [(1, 6), (2, 8), (3, 10)]


def test_a_picture_without_a_pascal_file_was_not_looked_at(tmp_path):
    (video,) = own_videos.find(voc_folder(tmp_path))
    assert video.seen == {1}


def test_a_yolo_picture_without_a_text_file_was_not_looked_at(tmp_path):
    (video,) = own_videos.find(yolo_folder(tmp_path))
    assert video.seen == {1, 2}


def test_ignored_boxes_of_mot_do_not_count(tmp_path):
    (video,) = own_videos.find(mot_folder(tmp_path, "2,7,7,5,12,8,0,car,1\n"))
    assert video.rows[0].hidden


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda f: csv_folder(f, "1,7,6,4,0,8,car,0\n"), r"a\.csv:2: width and height"),
        (lambda f: csv_folder(f, "1,7,six,4,9,8,car,0\n"), r"a\.csv:2: x must be a number"),
        (lambda f: csv_folder(f, "1,7,6,4,12,8,,0\n"), r"a\.csv:2: label is empty"),
        (lambda f: csv_folder(f, "1,7,6,4\n"), r"a\.csv:2: has 4 cells"),
        (lambda f: csv_folder(f, header="frame,x,y,w,h,label"), r"a\.csv: has no column width"),
        (lambda f: coco_folder(f, annotations=[{"image_id": 99}]), r"annotations\[0\].*image 99"),
        (lambda f: coco_folder(f, images=[{"id": 1, "file_name": "x.jpg"}]), "x.jpg: no such"),
        (lambda f: coco_folder(f, categories={}), "no list categories"),
        (lambda f: mot_folder(f, "2,7,7\n"), r"gt\.txt:1: has 3 numbers"),
        (lambda f: yolo_folder(f, "3 .1 .1 .1 .1\n"), r"1\.txt:1: class 3"),
        (lambda f: voc_folder(f, "<xmin>1</xmin>"), "1.xml: object 1: ymin must be a number"),
        (with_entities, "a.xml: declares entities"),
        (lambda f: f, "no boxes found"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_place(make, told, tmp_path):
    with pytest.raises(errors.UserError, match=told):
        own_videos.find(make(tmp_path))


def load(folder):
    return data.load(small_run.config(data=folder))


def test_own_videos_become_parts_at_the_networks_size(tmp_path):
    corpus = load(csv_folder(tmp_path))
    assert {part: len(its) for part, its in corpus.parts.items()} == {
        "train": 1, "validation": 1, "test": 1,
    }  # fmt: skip
    (video,) = corpus.train
    assert video.frames.shape == (3, small_run.HEIGHT, small_run.WIDTH, 3)
    left, top, width, height = BOX
    expected = [left / 48, top / 32, (left + width) / 48, (top + height) / 32]
    np.testing.assert_allclose(video.boxes[1, 0], expected, rtol=1e-6)
    assert video.labels[:, 0].tolist() == [-1, 0, -1]


def test_hidden_objects_are_neither_objects_nor_ground(tmp_path):
    corpus = load(csv_folder(tmp_path, "1,7,6,4,12,8,car,0\n2,7,6,4,12,8,car,1\n"))
    assert corpus.train[0].labels[:, 0].tolist() == [-1, 0, -2]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("3,7,6,4,12,8,car,0\n", r"\.csv:2: frame 3, .* has 3 frames"),
        ("1,7,60,4,12,8,car,0\n", r"\.csv:2: the box lies outside of its frame of 48 x 32"),
        ("", "not one box"),
    ],
)
def test_boxes_that_fit_no_frame_are_refused(rows, told, tmp_path):
    with pytest.raises(errors.UserError, match=told):
        load(csv_folder(tmp_path, rows))


def test_a_part_without_a_box_is_refused_by_its_name(tmp_path):
    csv_folder(tmp_path)
    for part, file in zip(
        ("train", "validation", "test"), sorted(tmp_path.glob("*.avi")), strict=True
    ):
        (tmp_path / part).mkdir()
        rows = file.with_suffix(".csv")
        if part == "validation":
            rows.write_text(rows.read_text().splitlines()[0] + "\n")
        for each in (file, rows):
            each.rename(tmp_path / part / each.name)
    with pytest.raises(errors.UserError, match="no video of the part validation has a box"):
        load(tmp_path)


def test_boxes_beyond_the_edge_are_cut_and_counted(tmp_path):
    corpus = load(csv_folder(tmp_path, "1,7,40,4,12,8,car,0\n"))
    assert corpus.train[0].boxes[1, 0, 2] == 1
    assert corpus.notes == ("3 boxes reached beyond their frames and were cut",)


def test_annotations_for_another_size_are_refused(tmp_path):
    images = [{"id": 11, "file_name": "street/1.png", "height": 64, "width": 96}]
    with pytest.raises(
        errors.UserError, match="frames are 48 x 32, the annotations are for 96 x 64"
    ):
        load(coco_folder(tmp_path, images=images))
