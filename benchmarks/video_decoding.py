"""Times folders of videos becoming clips, beside OpenCV's own read loop over the same cores.

    ours        what training does: decoded_clips, from the checksums to the file of frames on disk
    read loop   as many threads that call `VideoCapture.read` to the end and drop every frame
    kept loop   what one writes first: read every frame, turn it to RGB, bring it to the final size,
                then take those that are sampled

All are measured from nothing to the last video, in turn. Ratios are medians over the rounds, above
1 where ours is faster: of the time that passes, and of the processor's time, which other programs
on the same cores change little. Without folders it writes videos of two kinds itself: squares that
move over a smooth ground, in MPEG-4.

    python benchmarks/video_decoding.py
    python benchmarks/video_decoding.py FOLDER --rounds 5
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from apps.suite import process
from apps.suite.videos import clip_store, fitting, sampling
from apps.suite.videos.opencv import cv2
from apps.video_classification import clips
from apps.video_classification.config import ClipConfig, Config

# (height, width, frames, videos) of the made folders
MADE = {"phone, 720p": (720, 1280, 150, 16), "small, 240p": (240, 320, 60, 120)}
_CLIPS = 3  # of each video, as in training


def write_videos(folder: Path, height: int, width: int, frames: int, videos: int) -> None:
    """Half of them in each of two label folders; they differ by their noise."""
    random = np.random.default_rng(0)
    for number in range(videos):
        label = folder / ("left" if number % 2 else "right")
        label.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(
            str(label / f"{number:04d}.mp4"),
            cv2.CAP_FFMPEG,
            cv2.VideoWriter.fourcc(*"mp4v"),
            25.0,
            (width, height),
        )
        ground = random.integers(0, 200, (height // 8, width // 8, 3), dtype=np.uint8)
        ground = cv2.resize(ground, (width, height), interpolation=cv2.INTER_CUBIC)
        side = height // 4
        for time_step in range(frames):
            frame = ground.copy()
            left = (number * 17 + time_step * 5) % (width - side)
            frame[side : 2 * side, left : left + side] = 255
            writer.write(frame)
        writer.release()


def our_seconds(folder: Path, config: Config, threads: int) -> tuple[float, float]:
    """Seconds that pass, and seconds of the processor."""
    with tempfile.TemporaryDirectory() as cache, contextlib.redirect_stdout(io.StringIO()):
        os.environ["LSTM_TASKS_CACHE"] = cache
        began = time.perf_counter(), time.process_time()
        source = clips.find_files(folder, config.own)
        clip_store.decoded(source, config.clips, _CLIPS, threads=threads)
        return time.perf_counter() - began[0], time.process_time() - began[1]


def loop_seconds(
    function: Callable[[Path], object], paths: Sequence[Path], threads: int
) -> tuple[float, float]:
    cv2.setNumThreads(1)
    began = time.perf_counter(), time.process_time()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(function, paths):
            pass
    return time.perf_counter() - began[0], time.process_time() - began[1]


def _frames(path: Path) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    while True:
        found, frame = capture.read()
        if not found:
            break
        yield frame
    capture.release()


def read_all(path: Path) -> None:
    for _ in _frames(path):
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="of folders of videos")
    parser.add_argument("--rounds", type=int, default=3, help="(default %(default)s)")
    parser.add_argument("--threads", type=int, default=clip_store.cores())
    parser.add_argument("--size", type=int, default=64, help="pixels of a side (%(default)s)")
    options = parser.parse_args()
    process.quiet_tensorflow()
    from apps.suite.training import history  # noqa: F401  # imports Keras, which is not what is measured

    size = ClipConfig(height=options.size, width=options.size)
    config = Config(clips=size)

    def keep(path: Path) -> np.ndarray:
        every = [
            fitting.fit(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), size) for frame in _frames(path)
        ]
        chosen = sampling.frame_indices(len(every), size.frames, _CLIPS)
        return np.stack(every)[chosen.indices]

    print(
        f"videos a second on {options.threads} threads, {_CLIPS} clips of {size.frames} frames of "
        f"{size.height} x {size.width}"
    )
    print(
        "| videos | ours | read loop | kept loop | ours to read loop | ours to kept loop "
        "| the same, processor | |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as made:
        folders = {folder.resolve().name: folder for folder in options.folders}
        if not folders:
            for name, (height, width, frames, videos) in MADE.items():
                folders[f"{name}, {frames} frames"] = Path(made) / name
                write_videos(Path(made) / name, height, width, frames, videos)
        for name, folder in folders.items():
            paths = clips.find_files(folder, config.own).paths  # and all files are in memory
            rows = [
                (
                    our_seconds(folder, config, options.threads),
                    loop_seconds(read_all, paths, options.threads),
                    loop_seconds(keep, paths, options.threads),
                )
                for _ in range(options.rounds)
            ]
            seconds = np.array(rows)  # (rounds, who, passed or processor)
            rates = len(paths) / np.median(seconds[..., 0], axis=0)
            passed, processor = np.median(seconds[:, 1:] / seconds[:, :1], axis=0).T
            print(
                f"| {len(paths)} of {name} | "
                + " | ".join(f"{value:,.1f}" for value in rates)
                + " | "
                + " | ".join(f"{value:.2f}" for value in (*passed, *processor))
                + " |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
