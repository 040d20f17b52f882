"""Own videos that are easily learned: a bright spot that goes to the right, or down."""

import numpy as np

from tests.apps.video_classification import made_videos

LABELS = ("down", "right")
COUNTS = {"train": 16, "validation": 5, "test": 6}  # of each label


def spot(label, seed, frames=10, side=24):
    """Uint8 [frames, side, side, 3], from a place drawn anew; edges are passed through."""
    draw = np.random.default_rng(seed)
    top, left = draw.integers(side, size=2)
    clip = np.full((frames, side, side, 3), 40, np.uint8)
    for number, frame in enumerate(clip):
        move = 3 * number
        rows = (top + np.arange(8) + (move if label == "down" else 0)) % side
        columns = (left + np.arange(8) + (move if label == "right" else 0)) % side
        frame[np.ix_(rows, columns)] = 220
    return clip


def write_csv(folder, counts=COUNTS, groups=("hall", "<b>yard</b>")):
    """A csv file of clips, and the clips; `part` and `group` as columns."""
    rows = ["path,label,group,part"]
    for part, count in counts.items():
        for label in LABELS:
            for number in range(count):
                name = f"{part}_{label}_{number}.avi"
                made_videos.write(folder / name, spot(label, len(rows)), 10.0)
                rows.append(f"{name},{label},{part} {groups[number % len(groups)]},{part}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    return folder / "clips.csv"
