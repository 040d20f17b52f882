"""Says what videos show: `python -m apps.video_classification.predict holiday.mp4`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import tyro

from apps import configuration, errors
from apps.video_classification import asked_videos

if TYPE_CHECKING:
    from apps.video_classification import recogniser
    from apps.video_classification.timeline import Segment

TASK = "video_classification"
_DRAWN_LABELS = 10  # the likeliest ones, in a picture


@dataclass(frozen=True)
class Options:
    """Say what videos show, as a whole and, if asked, at every moment."""

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Video files, and folders of them."""
    run: Path = Path("runs") / TASK
    """Folder of a finished run."""
    model: Path | None = None
    """Ask this version folder of an export instead of a run."""
    timeline: Path | None = None
    """Folder for a picture of each video's labels over time: <video>.png, and <video>-dark.png."""
    annotated: Path | None = None
    """Folder for a copy of each video with the label drawn on it, <video>.mp4."""
    clip_seconds: float | None = None
    """Over time: how long the action is that a label is about; else as the run was trained."""
    top: int = 3
    """How many labels are shown."""
    skip_unreadable: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Name what cannot be decoded, and go on."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print an object a line, for machines."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("inputs: name a video file or a folder")
        if self.top < 1:
            raise ValueError(f"--top must be at least 1, is {self.top}")
        if self.clip_seconds is not None and not 0 < self.clip_seconds < float("inf"):
            raise ValueError(f"--clip_seconds must be above 0, is {self.clip_seconds}")


class Answer(NamedTuple):
    """What a video shows; `reason` instead of labels where it could not be decoded."""

    input: str
    labels: dict[str, float]  # their probabilities, the likeliest first
    seconds: float  # of the video
    segments: tuple[Segment, ...] = ()  # where a timeline or a copy was asked for
    reason: str = ""


def predict(options: Options) -> Iterator[Answer]:
    """An answer for each video, as soon as it is there; its picture and its copy are written.

    Raises:
        UserError: no finished run or no export, no such input, one that cannot be decoded (unless
            `skip_unreadable`), a picture or a copy that cannot be written.
    """
    videos = asked_videos.find(options.inputs, options.timeline, options.annotated)
    from apps.video_classification import decoding, recogniser

    asked = (
        recogniser.from_run(options.run)
        if options.model is None
        else recogniser.from_export(options.model)
    )
    for video in videos:
        try:
            yield _answer(asked, video, options)
        except decoding.UnreadableError as error:
            if not options.skip_unreadable:
                raise errors.UserError(f"{video.path}: {error}") from error
            yield Answer(str(video.path), {}, 0.0, reason=str(error))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return configuration.run_command(TASK, "predict", Options, _print, arguments)


def _answer(
    asked: recogniser.Recogniser, video: asked_videos.AskedVideo, options: Options
) -> Answer:
    import numpy as np

    from apps import whole_files
    from apps.video_classification import annotated_video, decoding, pictures, timeline

    found = decoding.read(video.path, asked.clips, asked.clips_per_video)
    likely = asked.probabilities(found.frames[:, : found.length]).mean(axis=0)
    order = np.argsort(-likely, kind="stable")[: options.top]
    labels = {asked.label_names[at]: float(likely[at]) for at in order}
    answer = Answer(str(video.path), labels, found.seconds)
    if video.timeline is None and video.annotated is None:
        return answer
    over_time = timeline.of_video(asked, video.path, found, options.clip_seconds)
    if video.timeline is not None:
        whole_files.make_folder(video.timeline.parent)
        pictures.timeline(
            video.timeline.parent,
            video.timeline.stem,
            video.path.name,
            over_time.seconds,
            over_time.probabilities,
            asked.label_names,
            _DRAWN_LABELS,
        )
    if video.annotated is not None:
        frame_seconds = found.seconds / found.frame_count
        annotated_video.write(
            video.annotated, video.path, asked.label_names, over_time, frame_seconds
        )
    return answer._replace(segments=tuple(over_time.segments(asked.label_names)))


def _print(options: Options) -> None:
    left_out = 0
    for answer in predict(options):
        left_out += bool(answer.reason)
        if options.json:
            print(json.dumps(_object(answer), ensure_ascii=False), flush=True)
        elif answer.reason:
            print(f"{answer.input}  left out: it {answer.reason}", flush=True)
        else:
            (label, sure), *others = answer.labels.items()
            rest = ", ".join(f"{name} {share:.2f}" for name, share in others)
            print(f"{answer.input}  {label} {sure:.2f}" + (f"  ({rest})" if rest else ""))
            for part in answer.segments:
                times = f"{part.start_seconds:8.2f} to {part.end_seconds:.2f} s"
                print(f"{times}  {part.label} {part.probability:.2f}", flush=True)
    if left_out:
        print(f"{left_out} left out that cannot be decoded", file=sys.stderr)


def _object(answer: Answer) -> dict[str, Any]:
    if answer.reason:
        return {"input": answer.input, "error": answer.reason}
    shares = {name: round(share, 4) for name, share in answer.labels.items()}
    found: dict[str, Any] = {"input": answer.input, "label": next(iter(shares))}
    found |= {"probabilities": shares, "seconds": round(answer.seconds, 3)}
    if answer.segments:
        found["segments"] = [
            {
                "start_seconds": round(part.start_seconds, 3),
                "end_seconds": round(part.end_seconds, 3),
                "label": part.label,
                "probability": round(part.probability, 4),
            }
            for part in answer.segments
        ]
    return found


if __name__ == "__main__":
    sys.exit(main())
