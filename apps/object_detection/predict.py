"""Finds objects in videos: `python -m apps.object_detection.predict street.mp4`."""

from __future__ import annotations

import csv
import io
import itertools
import json
import sys
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from apps.suite import errors
from apps.suite.commands import asked_model, command
from apps.suite.videos import asked_videos

if typing.TYPE_CHECKING:
    from apps.suite.export import asking

TASK = "object_detection"
_CHUNK = 8  # frames that are asked together
_FIELDS = ("frame", "seconds", "id", "label", "score", "x", "y", "width", "height")


@dataclass(frozen=True)
class Options:
    """Find objects in every frame of videos."""

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Video files, and folders of them."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    threshold: float | None = None
    """Score from which a box is told; by default that of the model."""
    csv: Path | None = None
    """File for all boxes as a table; columns beside the training's are video, seconds and score."""
    coco: Path | None = None
    """File for all boxes as COCO json."""
    annotated: Path | None = None
    """Folder for a copy of each video with its boxes drawn, <video>.mp4."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object on each line, one for each video."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("inputs: name a video file or a folder")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"--threshold must be from 0 to 1, is {self.threshold}")


class Box(NamedTuple):
    """A box that was found; x and y are its left and upper edge in pixels."""

    frame: int
    seconds: float
    id: int  # the same for the same object
    label: str
    score: float
    x: float
    y: float
    width: float
    height: float


class Answer(NamedTuple):
    """The boxes of a video."""

    input: str
    frames: int
    height: int
    width: int
    boxes: list[Box]

    def objects(self) -> dict[int, list[Box]]:
        """Returns the boxes of each object, in order of the frames."""
        found: dict[int, list[Box]] = {}
        for box in self.boxes:
            found.setdefault(box.id, []).append(box)
        return found


def predict(options: Options) -> Iterator[Answer]:
    """Yields the boxes of each video, after its copy is written; then writes csv and COCO files.

    Raises:
        UserError: no finished run, export or server, no such input, one that cannot be decoded, or
            a file that cannot be written.
    """
    copies = {
        video: options.annotated and options.annotated / place.with_suffix(".mp4")
        for video, place in asked_videos.find(options.inputs)
    }
    written = (*copies.values(), options.csv, options.coco)
    asked_videos.refuse_overwriting(copies, [each for each in written if each is not None])
    from apps.object_detection import serving
    from apps.suite.export import asking
    from apps.suite.runs import files
    from apps.suite.videos import video_files

    answers = []
    with asking.model(TASK, serving.served, options) as model:
        for video, copy in copies.items():
            try:
                answer = find(model, video, options.threshold)
                if copy is not None:
                    from apps.object_detection import pictures

                    pictures.write_annotated(copy, video, answer.boxes)
            except video_files.UnreadableError as error:
                raise errors.UserError(f"{video}: {error}") from error
            answers.append(answer)
            yield answer
    if options.csv is not None:
        files.write_atomically(options.csv, table(answers))
    if options.coco is not None:
        labels = list(model.setting("label_names"))
        files.write_atomically(options.coco, json.dumps(coco(answers, labels)))


def find(model: asking.Model, video: Path, threshold: float | None) -> Answer:
    """Returns the boxes of a video, which is read as a stream, some frames at a time."""
    import numpy as np

    from apps.object_detection import tracks
    from apps.suite.videos import video_files

    states = {name: np.zeros((1, 0), np.float32) for name in model.setting("states")}
    least = np.float32(model.setting("threshold") if threshold is None else threshold)
    tracker, boxes, frame, shape = tracks.Tracker(), list[Box](), 0, (0, 0)
    waiting = video_files.frames(video)
    while chunk := list(itertools.islice(waiting, _CHUNK)):
        times, frames = zip(*chunk, strict=True)
        shape = frames[0].shape[:2]
        answer = model.ask("stream", frames=np.stack(frames)[None], threshold=least, **states)
        states = {name: answer[name] for name in states}
        for t, seconds in enumerate(times):
            count = int(answer["count"][0, t])
            found = answer["boxes"][0, t, :count]
            labels = [name.decode() for name in answer["labels"][0, t, :count]]
            numbers = tracker.follow(found)
            for at, (left, top, right, bottom) in enumerate(found.tolist()):
                score = float(answer["scores"][0, t, at])
                boxes.append(Box(frame, seconds, numbers[at], labels[at], score,
                                 left, top, right - left, bottom - top))  # fmt: skip
            frame += 1
    return Answer(str(video), frame, *shape, boxes)


def table(answers: Sequence[Answer]) -> str:
    """Returns all boxes as csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["video", *_FIELDS])
    for answer in answers:
        writer.writerows([answer.input, *_rounded(box).values()] for box in answer.boxes)
    return text.getvalue()


def coco(answers: Sequence[Answer], labels: Sequence[str]) -> dict[str, Any]:
    """Returns all boxes as a COCO file; identifiers begin at 1, as its readers want them."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, answer in enumerate(answers, 1):
        first = len(images) + 1
        images += [
            {"id": first + frame, "video_id": number, "frame_id": frame, "width": answer.width,
             "height": answer.height, "file_name": f"{Path(answer.input).stem}/{frame:06d}.jpg"}
            for frame in range(answer.frames)
        ]  # fmt: skip
        for box in answer.boxes:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": first + box.frame, "track_id": box.id,
                 "category_id": labels.index(box.label) + 1, "score": box.score,
                 "bbox": [box.x, box.y, box.width, box.height], "iscrowd": 0,
                 "area": box.width * box.height}
            )  # fmt: skip
    return {
        "videos": [{"id": at, "name": Path(each.input).name} for at, each in enumerate(answers, 1)],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": at, "name": name} for at, name in enumerate(labels, 1)],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _print(options: Options) -> None:
    for answer in predict(options):
        if options.json:
            found = [_rounded(box) for box in answer.boxes]
            whole = {"input": answer.input, "frames": answer.frames, "boxes": found}
            print(json.dumps(whole, ensure_ascii=False), flush=True)
            continue
        seen = answer.objects()
        print(f"{answer.input}  {answer.frames} frames, {len(seen)} objects", flush=True)
        for number, its in seen.items():
            labels = [box.label for box in its]
            label = max(sorted(set(labels)), key=labels.count)
            print(f"  {number:4d}  {label}  {its[0].seconds:.2f} to {its[-1].seconds:.2f} s, "
                  f"in {len(its)} frames, score {max(box.score for box in its):.2f}")  # fmt: skip


def _rounded(box: Box) -> dict[str, Any]:
    return {
        name: round(value, 4 if name == "score" else 3) if isinstance(value, float) else value
        for name, value in box._asdict().items()
    }


if __name__ == "__main__":
    sys.exit(main())
