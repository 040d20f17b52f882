"""Builds the tab of the demo page that finds objects in a video."""

from __future__ import annotations

from pathlib import Path

import gradio

from apps.object_detection import pictures, predict
from apps.suite import errors
from apps.suite.demo import asked_file, elements
from apps.suite.export import asking

TITLE = "Objects"
EXPLAINED = "Give a short clip, and see the boxes that the model finds in its frames."
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
        places = pictures.places(found.frames)
        shown = []
        for number, (_, frame) in enumerate(video_files.frames(path)):
            if number in places:
                its = [box for box in found.boxes if box.frame == number]
                shown.append(pictures.drawn(frame, its))
    except video_files.UnreadableError as error:
        raise errors.UserError(f"{path.name} {error}") from error
    rows = found.objects()
    cells = [
        [str(number), its[0].label, f"{its[0].seconds:.2f}", f"{its[-1].seconds:.2f}",
         f"{max(box.score for box in its):.2f}"]
        for number, its in list(rows.items())[:_SHOWN_ROWS]
    ]  # fmt: skip
    columns = ["object", "label", "from second", "to second", "highest score"]
    told = "object" if len(rows) == 1 else "objects"
    title = f"{len(shown)} frames with the boxes that were found"
    return (
        elements.heading(f"{len(rows)} {told}", f"in {found.frames:,} frames")
        + elements.picture(title, title + ".", *pictures.strip(shown))
        + (elements.table(columns, cells, "The first objects") if cells else "")
    )
