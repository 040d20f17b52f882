"""The demo page's tab for a model that names what happens in a video, as exported."""

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
from apps.suite.demo import elements
from apps.suite.evaluation import plot_style
from apps.suite.export.asking import ExportedModel

if TYPE_CHECKING:
    from apps.suite.videos import video_files

TITLE = "Video"
EXPLAINED = "Give a short clip, and see what the model takes the motion in it for."
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


def tab(model: ExportedModel) -> None:
    """Puts the tab's fields into the page that is being built."""
    with gradio.Row():
        with gradio.Column(scale=2, min_width=300):
            clip = gradio.Video(
                label="A clip", sources=["upload", "webcam"], include_audio=True, height=300,
                buttons=[],
            )  # fmt: skip
            ask = gradio.Button("Name it", variant="primary", size="md")
            examples = [
                gradio.Button(f"Example {at + 1}: a spot that moves", size="sm")
                for at, _ in enumerate(example_videos(model))
            ]
            names = ", ".join(model.settings.get("label_names", []))
            told = f"The model knows: {names}. Files that the browser cannot play are read as well."
            elements.place(elements.note(told))
        with gradio.Column(scale=3, min_width=300):
            answer = elements.place()

    @elements.answered
    def show(file: str | None) -> str:
        seen = classify(model, file)
        return (
            elements.heading(seen.label, "is what the model sees")
            + elements.bars(seen.label_names, seen.probabilities.tolist(), "Probability of each")
            + strip(seen)
        )

    ask.click(show, clip, answer, **elements.ANSWER)
    for event in (clip.upload, clip.stop_recording):
        event(show, clip, answer, **elements.ANSWER)
    clip.clear(lambda: "", None, answer, **elements.ANSWER)

    @functools.cache
    def example(at: int) -> str:
        return str(write_example(example_videos(model)[at]))

    for at, button in enumerate(examples):
        made = elements.filled(functools.partial(example, at))
        button.click(made, None, [clip, answer], **elements.ANSWER).then(
            elements.if_filled(show), [clip, answer], answer, **elements.ANSWER
        )


def classify(model: ExportedModel, file: str | None) -> Seen:
    """What the model sees in a video: of as many clips as its settings ask for, averaged.

    Raises:
        UserError: no file, no video, too long, or what the model refuses.
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


def example_videos(model: ExportedModel) -> list[np.ndarray]:
    """Videos of the export's own requests, uint8 [frames, height, width, 3], two at most."""
    videos = [
        np.asarray(each.inputs["frames"])[0]
        for each in model.requests
        if each.signature == "serving_default"
    ]
    return sorted(videos, key=len, reverse=True)[:2]


def strip(seen: Seen) -> str:
    """The frames that the model got, some of them, with their times."""
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
