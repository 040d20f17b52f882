"""Finds the user's own annotated videos, in whichever format they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from apps.object_detection import annotation_files, xml_files
from apps.suite import errors


def find(path: Path) -> list[annotation_files.Annotated]:
    """Returns the annotated videos of a file or folder, in order of their names.

    Raises:
        UserError: nothing that is known, or what cannot be read; it names file and line.
    """
    if path.is_file():
        if path.suffix.lower() == ".json":
            return annotation_files.of_coco(path, path.parent)
        raise errors.UserError(f"{path}: give a folder of annotated videos, or a COCO json file")
    readers: list[tuple[str, Callable[[Path], list[annotation_files.Annotated]]]] = [
        ("gt.txt", annotation_files.of_mot), ("classes.txt", annotation_files.of_yolo),
        ("*.json", annotation_files.of_cocos), ("*.xml", xml_files.find),
        ("*.csv", annotation_files.of_csv),
    ]  # fmt: skip
    for pattern, read in readers:
        if any(path.rglob(pattern)):
            found = read(path)
            if found:
                return sorted(found, key=lambda each: (each.part, each.name))
    raise errors.UserError(
        f"{path}: no boxes found; needed are videos with a csv each, a COCO json, MOT folders "
        "(gt/gt.txt), YOLO text files with classes.txt, CVAT or Pascal VOC xml"
    )
