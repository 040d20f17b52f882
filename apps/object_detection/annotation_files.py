"""Reads boxes of the user's own videos: csv files, COCO json, MOT folders, YOLO text files.

Every format becomes the same: videos, each with its frames and with rows of boxes.
"""

from __future__ import annotations

import contextlib
import csv
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from apps.suite import errors
from apps.suite.texts import text_files
from apps.suite.videos.config import SUFFIXES

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_COLUMNS = ("frame", "x", "y", "width", "height", "label")


class Row(NamedTuple):
    """A box in pixels of its frame: from (x, y) on, width and height."""

    frame: int  # from 0
    track: int
    label: str
    x: float
    y: float
    width: float
    height: float
    hidden: bool = False  # neither found nor missed is counted
    where: str = ""  # file and line, for errors


@dataclass
class Annotated:
    """A video with its boxes.

    Attributes:
        name: of the video, within the data.
        source: a video file, or the files of its frames in order.
        rows: its boxes.
        seen: numbers of the frames in which somebody looked for objects; None = in all.
        part: that the data name; "" = none.
        size: height and width that the annotations are for; None = not said.
        digests: files that it was read from.
    """

    name: str
    source: Path | list[Path]
    rows: list[Row] = field(default_factory=list)
    seen: set[int] | None = None
    part: str = ""
    size: tuple[int, int] | None = None
    digests: tuple[Path, ...] = ()

    @property
    def frames(self) -> list[Path]:
        """Returns the pictures of a video that is not one file."""
        assert isinstance(self.source, list)
        return self.source

    def looked_at(self, frame: int) -> None:
        """Notes that somebody looked for objects in a frame."""
        self.seen = {*(self.seen or ()), frame}


def at(place: Path, folder: Path, source: Path | list[Path], **more: Any) -> Annotated:
    """Returns a video that lies at `place`; a folder on the way to it may name its part."""
    name = place.relative_to(folder)
    part = next((PARTS[each.lower()] for each in name.parts if each.lower() in PARTS), "")
    return Annotated(str(name), source, part=part, **more)


def pictures_in(home: Path) -> list[Path]:
    """Returns the pictures of a folder in order of their names: the frames of a video."""
    return sorted(each for each in home.glob("*") if each.suffix.lower() in PICTURES)


def pictures_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Returns the pictures below a folder by their names without endings."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in PICTURES:
            found.setdefault(file.stem, []).append(file)
    return found


def of_csv(folder: Path) -> list[Annotated]:
    """Reads videos that have a csv of the same name beside them."""
    videos = [each for each in sorted(folder.rglob("*")) if each.suffix.lower() in SUFFIXES]
    lonely = [each for each in videos if not each.with_suffix(".csv").is_file()]
    if lonely and len(lonely) < len(videos):
        raise errors.UserError(
            f"{lonely[0]}: has no {lonely[0].stem}.csv beside it; write one, with a header alone "
            "if nothing is to be seen in it, or move the video elsewhere"
        )
    return [
        at(file, folder, file, rows=list(_csv_rows(file.with_suffix(".csv"))),
           digests=(file, file.with_suffix(".csv")))
        for file in videos if file not in lonely
    ]  # fmt: skip


def _csv_rows(file: Path) -> Iterator[Row]:
    lines = csv.reader(text_files.decoded(file).splitlines())
    header = [name.strip().lower() for name in next(lines, [])]
    lacking = [name for name in _COLUMNS if name not in header]
    if lacking:
        raise errors.UserError(
            f"{file}: has no column {lacking[0]}; needed are {','.join(_COLUMNS)}, and id and "
            "occluded if known"
        )
    for number, cells in enumerate(lines, 2):
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{file}:{number}"
        if len(cells) != len(header):
            raise errors.UserError(
                f"{where}: has {len(cells)} cells, the header {len(header)}; write as many"
            )
        cell = dict(zip(header, (each.strip() for each in cells), strict=True))
        yield row_of(
            where,
            frame=cell["frame"],
            track=cell.get("id") or "-1",
            label=cell["label"],
            box=[cell[name] for name in ("x", "y", "width", "height")],
            hidden=cell.get("occluded", "").lower() in ("1", "true", "yes"),
        )


def of_cocos(folder: Path) -> list[Annotated]:
    """Reads the COCO files of a folder; one whose name begins with a part's is that part."""
    files = [file for file in sorted(folder.rglob("*.json")) if "annotations" in _json(file)]
    return [video for file in files for video in of_coco(file, folder)]


def of_coco(file: Path, folder: Path) -> list[Annotated]:
    """Reads a COCO file; images of one `video_id`, or else of one folder, make a video."""
    content = _json(file)
    for name in ("images", "annotations", "categories"):
        if not isinstance(content.get(name), list):
            raise errors.UserError(f"{file}: has no list {name}; a COCO file has one")
    labels = {each["id"]: str(each["name"]) for each in content["categories"]}
    names = {each["id"]: str(each["name"]) for each in content.get("videos", [])}
    part = next((PARTS[n] for n in PARTS if file.stem.lower().startswith(n)), "")
    stems, videos = pictures_by_stem(folder), dict[str, Annotated]()
    place_of: dict[Any, tuple[Annotated, int]] = {}

    def order(image: Any) -> tuple:
        return (image.get("frame_id", image.get("frame_index", 0)), str(image["file_name"]))

    for image in sorted(content["images"], key=order):
        given = str(image["file_name"])
        whole = folder / given
        same = [whole] if whole.is_file() else stems.get(Path(given).stem, [])
        if len(same) != 1:
            told = "no such picture" if not same else f"{len(same)} pictures of that name"
            raise errors.UserError(f"{file}: image {given}: {told} below {folder}")
        group = names.get(image.get("video_id"), str(Path(given).parent))
        size = (int(image["height"]), int(image["width"])) if "height" in image else None
        fresh = Annotated(group, [], part=part, size=size, digests=(file,))
        video = videos.setdefault(group, fresh)
        place_of[image["id"]] = video, len(video.frames)
        video.frames.append(same[0])
    for number, each in enumerate(content["annotations"]):
        where = f"{file}: annotations[{number}]"
        if each.get("image_id") not in place_of:
            raise errors.UserError(f"{where}: there is no image {each.get('image_id')!r}")
        if each.get("category_id") not in labels:
            raise errors.UserError(f"{where}: there is no category {each.get('category_id')!r}")
        if len(each.get("bbox", ())) != 4:
            raise errors.UserError(f"{where}: has no bbox of four numbers")
        video, frame = place_of[each["image_id"]]
        hidden = bool(each.get("iscrowd") or each.get("ignore"))
        track = each.get("track_id", each.get("instance_id", -1))
        label = labels[each["category_id"]]
        video.rows.append(row_of(where, frame, track, label, each["bbox"], hidden))
    return list(videos.values())


def of_mot(folder: Path) -> list[Annotated]:
    """Reads MOT folders: seqinfo.ini, img1/, gt/gt.txt, numbered from 1."""
    found = []
    for file in sorted(folder.rglob("gt/gt.txt")):
        home = file.parent.parent
        pictures = pictures_in(home / "img1")
        if not pictures:
            raise errors.UserError(f"{home / 'img1'}: no pictures of this MOT folder")
        video = at(home, folder, pictures, digests=(file,))
        for where, line in _lines(file):
            cells = line.replace(" ", "").split(",")
            if len(cells) < 6:
                raise errors.UserError(f"{where}: has {len(cells)} numbers, at least 6 are needed")
            counted = len(cells) < 7 or finite_number(cells[6], where, "column 7") != 0
            label = cells[7] if len(cells) > 7 else "1"
            row = row_of(where, cells[0], cells[1], label, cells[2:6], not counted)
            # Frames and pixels are counted from 1
            video.rows.append(row._replace(frame=row.frame - 1, x=row.x - 1, y=row.y - 1))
        found.append(video)
    return found


def of_yolo(folder: Path) -> list[Annotated]:
    """Reads pictures with a text file each (class, middle, width and height as shares).

    Pictures of one folder are the frames of one video; a picture without a text file was not
    looked at.
    """
    (names, *others) = sorted(folder.rglob("classes.txt"))
    if others:
        raise errors.UserError(f"{others[0]}: is there beside {names}; keep one classes.txt")
    labels = [line.strip() for _, line in _lines(names)]
    found = []
    for home in sorted({file.parent for its in pictures_by_stem(folder).values() for file in its}):
        beside = Path(*("labels" if part == "images" else part for part in home.parts))
        video = at(home, folder, pictures_in(home), seen=set(), digests=(names,))
        for frame, shown in enumerate(video.frames):
            file = beside / f"{shown.stem}.txt"
            if not file.is_file():
                continue
            video.looked_at(frame)
            with picture(shown) as opened:
                width, height = opened.size
            for where, line in _lines(file):
                cells = line.split()
                kind = finite_number(cells[0], where, "class")
                if kind not in range(len(labels)):
                    raise errors.UserError(f"{where}: class {cells[0]}, {names} has {len(labels)}")
                if len(cells) != 5:
                    raise errors.UserError(f"{where}: has {len(cells)} numbers, 5 are needed")
                across, down, wide, high = (finite_number(each, where, "box") for each in cells[1:])
                box = [(across - wide / 2) * width, (down - high / 2) * height,
                       wide * width, high * height]  # fmt: skip
                video.rows.append(row_of(where, frame, -1, labels[int(kind)], box))
        if video.seen:
            found.append(video)
    return found


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    """Yields place and text of the lines of a file that are not empty."""
    for number, line in enumerate(text_files.decoded(file).splitlines(), 1):
        if line.strip():
            yield f"{file}:{number}", line


def row_of(
    where: str, frame: Any, track: Any, label: str, box: Iterable[Any], hidden: bool = False
) -> Row:
    """Checks the cells of a row; UserError names `where` and the cell."""
    at = finite_number(frame, where, "frame")
    if at != int(at) or at < 0:
        raise errors.UserError(f"{where}: frame must be a whole number from 0 on, is {frame}")
    if not label:
        raise errors.UserError(f"{where}: label is empty")
    x, y, width, height = (
        finite_number(value, where, name)
        for value, name in zip(box, ("x", "y", "width", "height"), strict=True)
    )
    if width <= 0 or height <= 0:
        raise errors.UserError(
            f"{where}: width and height of a box must be above 0, are {width:g} and {height:g}"
        )
    return Row(
        int(at), int(finite_number(track, where, "id")), label, x, y, width, height, hidden, where
    )


@contextlib.contextmanager
def picture(file: Path) -> Iterator[Any]:
    """Opens a picture; UserError where it, or what the block reads of it, cannot be read."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            yield opened
    except OSError:
        raise errors.UserError(f"{file}: is not a picture that can be read") from None


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(text_files.decoded(file))
    except json.JSONDecodeError as error:
        raise errors.UserError(f"{file}:{error.lineno}: not JSON: {error.msg}") from None
    return content if isinstance(content, dict) else {}


def finite_number(value: Any, where: str, name: str) -> float:
    """Returns a finite number; UserError names `where` and `name`."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise errors.UserError(f"{where}: {name} must be a number, is {value!r}")
    return found
