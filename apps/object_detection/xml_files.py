"""Reads boxes from XML: CVAT for video 1.1, and Pascal VOC."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from apps.object_detection import annotation_files
from apps.suite import errors
from apps.suite.videos.config import SUFFIXES


def find(folder: Path) -> list[annotation_files.Annotated]:
    """Returns the videos of a folder's CVAT files, or of its Pascal VOC files."""
    roots = {file: _root(file) for file in sorted(folder.rglob("*.xml"))}
    cvat = {file: root for file, root in roots.items() if root.tag == "annotations"}
    if cvat:
        return [_of_cvat(file, root, folder) for file, root in cvat.items()]
    return _of_voc({file: root for file, root in roots.items() if root.tag == "annotation"}, folder)


def _of_cvat(file: Path, root: Any, folder: Path) -> annotation_files.Annotated:
    """Reads tracks; between two boxes of a track lie boxes on a straight line."""
    named = {Path(root.findtext(".//source") or "").stem, file.stem}
    videos = [each for each in sorted(folder.rglob("*"))
              if each.suffix.lower() in SUFFIXES and each.stem in named]  # fmt: skip
    if len(videos) != 1:
        told = " or ".join(sorted(name for name in named if name))
        raise errors.UserError(f"{file}: {len(videos)} videos are named {told}; one is needed")
    tracks = root.findall("track")
    if not tracks and root.findall("image"):
        raise errors.UserError(f'{file}: is "CVAT for images"; export it as "CVAT for video 1.1"')
    stop = root.findtext(".//stop_frame")
    size = [root.findtext(f".//original_size/{side}") for side in ("height", "width")]
    rows: list[annotation_files.Row] = []
    for number, track in enumerate(tracks):
        where = f"{file}: track {track.get('id', number)}"
        boxes = []
        for box in track.findall("box"):
            left, top, right, bottom = (
                annotation_files.finite_number(box.get(name), where, name)
                for name in ("xtl", "ytl", "xbr", "ybr")
            )
            sides = [left, top, right - left, bottom - top]
            hidden = box.get("occluded") == "1"
            row = annotation_files.row_of(
                where, box.get("frame"), track.get("id", number), track.get("label"), sides, hidden
            )
            boxes.append((row, box.get("outside") == "1"))
        boxes.sort(key=lambda each: each[0].frame)
        last = boxes[-1][0].frame if boxes else 0
        end = int(annotation_files.finite_number(stop, where, "stop_frame")) if stop else last
        for (row, outside), (after, _) in zip(boxes, [*boxes[1:], (None, False)], strict=True):
            if not outside:
                rows += _between(row, after, max(end, last))
    given = None
    if None not in size:
        high, wide = (
            annotation_files.finite_number(each, str(file), "original_size") for each in size
        )
        given = int(high), int(wide)
    found = annotation_files.at(file, folder, videos[0], rows=rows, digests=(videos[0], file))
    return dataclasses.replace(found, name=str(videos[0].relative_to(folder)), size=given)


def _between(
    row: annotation_files.Row, after: annotation_files.Row | None, end: int
) -> list[annotation_files.Row]:
    """Returns a box and those on the way to the next one, or as it stays up to the end."""
    stop = after.frame if after is not None else end + 1
    found = []
    for frame in range(row.frame, stop):
        share = (frame - row.frame) / (stop - row.frame) if after is not None else 0.0
        target = after if after is not None else row
        moved = {
            name: (1 - share) * getattr(row, name) + share * getattr(target, name)
            for name in ("x", "y", "width", "height")
        }
        found.append(row._replace(frame=frame, **moved))
    return found


def _of_voc(roots: dict[Path, Any], folder: Path) -> list[annotation_files.Annotated]:
    """Reads a file for each picture; corners count from 1, and the last pixel is in the box.

    Pictures of one folder are the frames of one video; one without a file was not looked at.
    """
    pictures = annotation_files.pictures_by_stem(folder)
    videos: dict[Path, annotation_files.Annotated] = {}
    for file, root in roots.items():
        same = pictures.get(file.stem) or pictures.get(Path(root.findtext("filename") or "").stem)
        if not same or len(same) > 1:
            raise errors.UserError(
                f"{file}: {len(same or [])} pictures of that name; one is needed"
            )
        home = same[0].parent
        if home not in videos:
            frames = annotation_files.pictures_in(home)
            videos[home] = annotation_files.at(home, folder, frames, seen=set(), digests=(file,))
        video = videos[home]
        frame = video.frames.index(same[0])
        video.looked_at(frame)
        for number, each in enumerate(root.findall("object")):
            where = f"{file}: object {number + 1}"
            left, top, right, bottom = (
                annotation_files.finite_number(each.findtext(f"bndbox/{name}"), where, name)
                for name in ("xmin", "ymin", "xmax", "ymax")
            )
            sides = [left - 1, top - 1, right - left + 1, bottom - top + 1]
            hidden = each.findtext("difficult") == "1"
            label = (each.findtext("name") or "").strip()
            video.rows.append(annotation_files.row_of(where, frame, -1, label, sides, hidden))
    return list(videos.values())


def _root(file: Path) -> Any:
    import defusedxml
    from defusedxml import ElementTree

    try:
        return ElementTree.parse(file).getroot()
    except defusedxml.DefusedXmlException:
        raise errors.UserError(f"{file}: declares entities, which are not read") from None
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise errors.UserError(f"{file}: not XML: {error}") from None
