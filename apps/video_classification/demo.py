"""Builds the tab of the demo page that names what happens in a video."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio
import matplotlib.axes
import numpy as np

from apps.suite import errors, process
from apps.suite.demo import asked_file, elements
from apps.suite.evaluation import plot_style
from apps.suite.export import asking

if TYPE_CHECKING:
    from apps.suite.videos import video_files

TITLE = "Video"
EXPLAINED = "Give a short clip, and see how the model names the motion in it."
_STRIP_FRAMES = 8
_MOST_FRAMES = 20_000  # of a video: a quarter of an hour at 25 a second
_SHOWN_PIXELS = 160  # height of an example, which a page would otherwise show as a stamp


class Seen(NamedTuple):
    """An answer, and the frames of one clip that it is about."""

    label: str
    label_names: list[str]
    probabilities: np.ndarray  # float32 [labels], the mean over the clips
    frames: list[np.ndarray]  # uint8 [height, width, 3] each, RGB, of the middle clip
    seconds: list[float]  # when each of them is shown


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""

    @functools.cache
    def example(at: int) -> str:
        return str(write_example(example_videos(model)[at]))

    def examples() -> list[asked_file.Example]:
        return [
            asked_file.Example(
                gradio.Button(f"Example {at + 1}: a spot that moves", size="sm"),
                functools.partial(example, at),
            )
            for at, _ in enumerate(example_videos(model))
        ]

    def show(file: str | None) -> str:
        seen = classify(model, file)
        return (
            elements.heading(seen.label, "is what the model sees")
            + elements.bars(seen.label_names, seen.probabilities.tolist(), "Probability of each")
            + strip(seen)
        )

    names = ", ".join(model.settings.get("label_names", []))
    asked_file.tab(
        asked_file.video,
        show,
        button="Name it",
        hint=f"The model knows: {names}. Files that the browser cannot play are read as well.",
        examples=examples,
    )


def classify(model: asking.ExportedModel, file: str | None) -> Seen:
    """Returns the model's answer to a video, averaged over as many clips as its settings ask for.

    Raises:
        UserError: no file, not a video, too long, or a clip that the model refuses.
    """
    if not file:
        raise errors.UserError("There is no clip yet: drop a file, or take an example.")
    found = read(Path(file), model.settings)
    frames, chosen = found.frames, found.sample.indices[:, : found.sample.length]
    clips = np.stack([np.stack([frames[at] for at in row]) for row in chosen.tolist()])
    answer = model.ask(frames=clips)
    probabilities = answer["probabilities"].mean(axis=0)
    names = [name.decode() for name in answer["label_names"].ravel()]
    middle = chosen[len(chosen) // 2].tolist()
    label = names[int(probabilities.argmax())]
    shown = [frames[at] for at in middle]
    return Seen(label, names, probabilities, shown, found.times[middle].tolist())


def read(path: Path, settings: Mapping[str, Any]) -> video_files.Chosen:
    """Reads the frames that an export takes from a video, as the training chose them.

    Frames are halved while both sides stay above the model's size, which the model would do
    itself, so that the request stays small.

    Raises:
        UserError: not a video, damaged, or too long; it names the file.
    """
    from apps.suite.videos import fitting, sampling, video_files
    from apps.suite.videos.config import ClipConfig

    height, width = int(settings["height"]), int(settings["width"])
    seconds = settings.get("clip_seconds")
    config = ClipConfig(
        frames=int(settings["frames"]),
        sampling="window" if seconds else "uniform",
        clip_seconds=seconds or ClipConfig.clip_seconds,
    )
    clips = int(settings.get("clips_per_video", 1))
    try:
        return video_files.choose(
            path,
            functools.partial(sampling.sample, config=config, clips=clips),
            functools.partial(fitting.halved, height=height, width=width),
            most_frames=_MOST_FRAMES,
        )
    except video_files.UnreadableError as error:
        raise errors.UserError(f"{path.name} {error}") from error


def write_example(frames: np.ndarray) -> Path:
    """Writes frames as a video file that browsers show, with pixels large enough to be seen."""
    from apps.suite.videos.opencv import cv2

    scale = max(1, round(_SHOWN_PIXELS / frames.shape[1]))
    height, width = (2 * (side * scale // 2) for side in frames.shape[1:3])
    with tempfile.NamedTemporaryFile(
        prefix="example-", suffix=".webm", dir=os.environ.get("GRADIO_TEMP_DIR"), delete=False
    ) as file:
        path = Path(file.name)
    size = (width, height)
    with process.stderr_set_aside():  # OpenCV doubts that VP8 belongs into webm
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 12, size)
    for frame in frames:
        large = cv2.resize(frame, (width, height), interpolation=cv2.INTER_NEAREST)
        writer.write(cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def example_videos(model: asking.ExportedModel) -> list[np.ndarray]:
    """Returns at most two videos of the export's requests, uint8 [frames, height, width, 3]."""
    videos = [
        np.asarray(each.inputs["frames"])[0]
        for each in model.requests
        if each.signature == "serving_default"
    ]
    return sorted(videos, key=len, reverse=True)[:2]


def strip(seen: Seen) -> str:
    """Draws some of the frames that the model got, with their times."""
    places = np.unique(np.linspace(0, len(seen.frames) - 1, _STRIP_FRAMES).round().astype(int))
    height, width = seen.frames[0].shape[:2]
    gap = max(1, width // 12)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        for column, place in enumerate(places):
            left = column * (width + gap)
            axes.imshow(
                seen.frames[place], extent=(left, left + width, height, 0), interpolation="nearest"
            )
            axes.text(left + width / 2, height * 1.06, f"{seen.seconds[place]:.2f} s",
                      ha="center", va="top", color=theme.ink, fontsize=8.5)  # fmt: skip
        axes.set_xlim(0, len(places) * (width + gap) - gap)
        axes.set_ylim(height * 1.25, 0)
        axes.set_axis_off()

    inches = plot_style.WIDTH_INCHES * 1.25 * height / (len(places) * (width + gap)) + 0.5
    told = f"{len(places)} of the {len(seen.frames)} frames that the model got, in order."
    title = f"{len(places)} of the {len(seen.frames)} frames that the model got"
    return elements.picture(title, told, draw, min(5.0, max(1.2, inches)))
