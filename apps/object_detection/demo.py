"""Builds the tab of the demo page that finds objects in a video."""

from __future__ import annotations

from pathlib import Path

import gradio
import matplotlib.axes
import numpy as np

from apps.object_detection import pictures, predict
from apps.suite import errors
from apps.suite.demo import asked_file, elements
from apps.suite.evaluation import plot_style
from apps.suite.export import asking

TITLE = "Objects"
EXPLAINED = "Give a short clip, and see the boxes that the model finds in its frames."
_SHOWN_FRAMES = 8
_MOST_FRAMES = 2_000
_SHOWN_ROWS = 20


def tab(model: asking.ExportedModel) -> None:
    """Adds the tab's fields to the page that is being built."""
    names = ", ".join(model.setting("label_names"))

    def threshold() -> list[gradio.Slider]:
        return [
            gradio.Slider(
                0.05, 0.95, value=float(model.setting("threshold")), step=0.05,
                label="Score from which a box is shown",
            )
        ]  # fmt: skip

    asked_file.tab(
        asked_file.video,
        lambda file, least: page(model, file, least),
        button="Find objects",
        hint=f"The model knows: {names}. The folder of the run holds a clip, example.avi.",
        further=threshold,
    )


def page(model: asking.ExportedModel, file: str | None, threshold: float) -> str:
    """Returns frames of a clip with their boxes, and a table of the objects.

    Raises:
        UserError: no file, not a video, too long, or what the model refuses.
    """
    from apps.suite.videos import video_files

    if not file:
        raise errors.UserError("There is no clip yet: drop a file, or record one.")
    path = Path(file)
    try:
        if video_files.facts(path).frames > _MOST_FRAMES:
            raise errors.UserError(f"The clip has over {_MOST_FRAMES:,} frames; cut it.")
        found = predict.find(model, path, threshold)
        places = np.unique(np.linspace(0, found.frames - 1, _SHOWN_FRAMES).round().astype(int))
        shown = []
        for number, (_, frame) in enumerate(video_files.frames(path)):
            if number in places:
                its = [box for box in found.boxes if box.frame == number]
                shown.append(pictures.drawn(frame, its))
    except video_files.UnreadableError as error:
        raise errors.UserError(f"{path.name} {error}") from error
    rows: dict[int, list[predict.Box]] = {}
    for box in found.boxes:
        rows.setdefault(box.id, []).append(box)
    cells = [
        [str(number), its[0].label, f"{its[0].seconds:.2f}", f"{its[-1].seconds:.2f}",
         f"{max(box.score for box in its):.2f}"]
        for number, its in list(rows.items())[:_SHOWN_ROWS]
    ]  # fmt: skip
    columns = ["object", "label", "from second", "to second", "highest score"]
    told = "object" if len(rows) == 1 else "objects"
    return (
        elements.heading(f"{len(rows)} {told}", f"in {found.frames:,} frames")
        + _strip(shown)
        + (elements.table(columns, cells, "The first objects") if cells else "")
    )


def _strip(frames: list[np.ndarray]) -> str:
    """Draws frames in two rows."""
    height, width = frames[0].shape[:2]
    columns = -(-len(frames) // 2)

    def draw(axes: matplotlib.axes.Axes, theme: plot_style.Theme) -> None:
        del theme
        for at, frame in enumerate(frames):
            down, across = divmod(at, columns)
            left, top = across * (width + 8), down * (height + 8)
            axes.imshow(frame, extent=(left, left + width, top + height, top))
        axes.set_xlim(0, columns * (width + 8))
        axes.set_ylim(2 * (height + 8), 0)
        axes.set_axis_off()

    title = f"{len(frames)} frames with the boxes that were found"
    inches = plot_style.WIDTH_INCHES * 2 * height / (columns * width) + 0.3
    return elements.picture(title, title + ".", draw, min(6.0, max(1.2, inches)))
