"""Names what videos show: `python -m apps.video_classification.predict holiday.mp4`."""

from __future__ import annotations

import json
import sys
import typing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from apps.suite import errors
from apps.suite.commands import asked_model, command, label_answers
from apps.suite.videos import asked_videos
from apps.video_classification import config as configs

if typing.TYPE_CHECKING:
    import numpy as np

    from apps.suite.export import asking
    from apps.video_classification.timeline import Segment


TASK = "video_classification"
_DRAWN_LABELS = 10  # the likeliest ones, in a picture


@dataclass(frozen=True)
class Options:
    """Name what videos show, as a whole and, if wanted, at every moment."""

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Video files, and folders of them."""
    run: asked_model.Run = Path("runs") / TASK
    model: asked_model.Export = None
    server: asked_model.Server = ""
    timeline: Path | None = None
    """Folder for a picture of each video's labels over time: <video>.png, and <video>-dark.png."""
    annotated: Path | None = None
    """Folder for a copy of each video with the label drawn on it, <video>.mp4."""
    clip_seconds: float | None = None
    """Length of the action that a label describes, over time; by default that of the training."""
    top: int = 3
    """Number of labels to show."""
    skip_unreadable: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Report files that cannot be decoded, and continue."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON object on each line, one for each answer."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("inputs: name a video file or a folder")
        if self.top < 1:
            raise ValueError(f"--top must be at least 1, is {self.top}")
        if self.clip_seconds is not None and not 0 < self.clip_seconds < float("inf"):
            raise ValueError(f"--clip_seconds must be above 0, is {self.clip_seconds}")


class Answer(NamedTuple):
    """The labels of a video, or the `reason` why it could not be decoded."""

    input: str
    labels: dict[str, float]  # their probabilities, the likeliest first
    seconds: float  # of the video
    segments: tuple[Segment, ...] = ()  # where a timeline or a copy was asked for
    reason: str = ""


def predict(options: Options) -> Iterator[Answer]:
    """Yields an answer for each video, after its picture and its copy are written.

    Raises:
        UserError: no finished run, export or server, no such input, one that cannot be decoded
            (unless `skip_unreadable`), a picture or a copy that cannot be written.
    """
    videos = find_videos(options.inputs, options.timeline, options.annotated)
    from apps.suite.export import asking
    from apps.suite.videos import video_files
    from apps.video_classification import serving

    with asking.model(TASK, serving.served, options) as model:
        asked = Recogniser(model)
        for video in videos:
            try:
                yield _answer(asked, video, options)
            except video_files.UnreadableError as error:
                if not options.skip_unreadable:
                    raise errors.UserError(f"{video.path}: {error}") from error
                yield Answer(str(video.path), {}, 0.0, reason=str(error))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return command.run_command(TASK, "predict", Options, _print, arguments)


def _answer(asked: Recogniser, video: AskedVideo, options: Options) -> Answer:

    from apps.suite.runs import files
    from apps.suite.videos import video_files
    from apps.video_classification import pictures, timeline

    found = video_files.read(video.path, asked.clips, asked.clips_per_video)
    likely = asked.probabilities(found.frames[:, : found.length]).mean(axis=0)
    labels = label_answers.likeliest(likely, asked.label_names, options.top)
    answer = Answer(str(video.path), labels, found.seconds)
    if video.timeline is None and video.annotated is None:
        return answer
    over_time = timeline.of_video(asked, video.path, found, options.clip_seconds)
    if video.timeline is not None:
        files.make_folder(video.timeline.parent)
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
        timeline.write_annotated(
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
            print(label_answers.told(answer.input, answer.labels))
            for part in answer.segments:
                times = f"{part.start_seconds:8.2f} to {part.end_seconds:.2f} s"
                print(f"{times}  {part.label} {part.probability:.2f}", flush=True)
    if left_out:
        print(f"{left_out} left out that cannot be decoded", file=sys.stderr)


def _object(answer: Answer) -> dict[str, Any]:
    if answer.reason:
        return {"input": answer.input, "error": answer.reason}
    found = label_answers.fields(answer.input, answer.labels)
    found["seconds"] = round(answer.seconds, 3)
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


class AskedVideo(NamedTuple):
    """A video file, and the paths of its picture and its copy; None where they are not wanted."""

    path: Path
    timeline: Path | None
    annotated: Path | None

    def written(self) -> Iterator[Path]:
        """Yields the files that will be written."""
        if self.timeline is not None:
            yield self.timeline
            yield self.timeline.with_stem(f"{self.timeline.stem}-dark")
        if self.annotated is not None:
            yield self.annotated


def find_videos(
    inputs: Sequence[Path], timeline: Path | None, annotated: Path | None
) -> list[AskedVideo]:
    """Returns the videos to ask about, in the order of `asked_videos.find`.

    Args:
        inputs: files and folders.
        timeline, annotated: folders for pictures and copies, in which a video lies as it does in
            the folder that was given.

    Raises:
        UserError: no such input, a folder without a video, a picture or copy that would be written
            over another or over a video.
    """
    found = [
        AskedVideo(
            file,
            timeline and timeline / place.with_suffix(".png"),
            annotated and annotated / place.with_suffix(".mp4"),
        )
        for file, place in asked_videos.find(inputs)
    ]
    asked_videos.refuse_overwriting(
        [video.path for video in found], (path for video in found for path in video.written())
    )
    return found


_ROWS = 16  # windows that are asked together


class Recogniser:
    """Labels clips, and every moment of a video.

    Args:
        model: answers the signatures of the task's export.

    Attributes:
        label_names: of the probabilities.
        clips: how the frames of a clip are chosen and sized.
        clips_per_video: clips whose probabilities are averaged.
        streams: whether the model itself answers frame after frame.
    """

    def __init__(self, model: asking.Model) -> None:
        self._model = model
        self.label_names = tuple(model.setting("label_names"))
        self.clips_per_video = int(model.setting("clips_per_video"))
        self.streams = bool(model.setting("states"))
        seconds = model.setting("clip_seconds")
        self.clips = configs.ClipConfig(
            frames=model.setting("frames"),
            height=model.setting("height"),
            width=model.setting("width"),
            fit=model.setting("fit"),
            sampling="window" if seconds else "uniform",
            clip_seconds=seconds or 1.0,
        )

    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Returns float32 [clips, labels] for uint8 [clips, frames, height, width, 3]."""
        return self._model.ask(frames=clips)["probabilities"]

    def over_time(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yields float32 [labels] at each frame, from this frame and the earlier ones.

        A model that streams gets the frames one by one, with its states. Any other model judges
        at each frame the clip that ends there; only the frames of a clip are in memory.

        Args:
            frames: uint8 [height, width, 3], all of one size, at the pace of a clip's frames.
        """
        return self._streamed(frames) if self.streams else self._windows(frames)

    def _streamed(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        ask = self._model.stream()
        for frame in frames:
            yield ask(frames=frame[None, None])["probabilities"][0, 0]

    def _windows(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        import numpy as np

        latest: deque[np.ndarray] = deque(maxlen=self.clips.frames)
        waiting: list[np.ndarray] = []
        for frame in frames:
            latest.append(frame)
            window = np.stack(latest)
            if len(latest) < self.clips.frames:  # the first ones, each of another length
                yield self.probabilities(window[None])[0]
                continue
            waiting.append(window)
            if len(waiting) == _ROWS:
                yield from self.probabilities(np.stack(waiting))
                waiting = []
        if waiting:
            yield from self.probabilities(np.stack(waiting))


if __name__ == "__main__":
    sys.exit(main())
