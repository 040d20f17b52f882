"""Decodes video files with OpenCV: chosen frames, rows of frames, or all frames.

Only chosen frames are brought to RGB and kept, at their final size, so that videos of any length
fit into memory. The number of frames in a header is a plan that the decoding corrects.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.runs import files
from apps.suite.videos import containers, fitting, sampling
from apps.suite.videos.config import ClipConfig
from apps.suite.videos.opencv import cv2

_LEAST_SHARE = 0.5  # of the frames that a header promises; a file with fewer is damaged
_MOST_BYTES = 1 << 30  # of the frames of one row


class UnreadableError(errors.UserError):
    """A file that gives no frames, or fewer than it should; `str` says why, without its name."""


class Facts(NamedTuple):
    """The header of a video."""

    frames: int  # 0 where it does not say; may be wrong
    frames_per_second: float
    height: int  # pixels, upright as it is shown
    width: int


class Chosen(NamedTuple):
    """Frames that were chosen from one video."""

    frames: dict[int, np.ndarray]  # by number: uint8 [height, width, 3], RGB, upright
    sample: sampling.Sample  # their numbers
    times: np.ndarray  # float64 [frames of the video], seconds from its first frame
    seconds: float  # of the video


class Decoded(NamedTuple):
    """Clips of one video."""

    frames: np.ndarray  # uint8 [clips, time, height, width, 3], RGB, zero in the padding
    length: int  # real frames of each clip
    frame_count: int  # of the video, counted
    seconds: float  # of the video


def facts(path: Path) -> Facts:
    """Reads the header of a video. Raises UnreadableError."""
    with _opened(path) as capture:
        return _facts(capture)


def read(path: Path, config: ClipConfig, clips: int) -> Decoded:
    """Reads clips of a video, chosen by `sampling.sample`, at the size of `config`.

    Raises UnreadableError as `choose` does.
    """
    plan = functools.partial(sampling.sample, config=config, clips=clips)
    found = choose(path, plan, functools.partial(fitting.fit, config=config))
    frames = fitting.stacked(found.frames, found.sample, config)
    return Decoded(frames, found.sample.length, len(found.times), found.seconds)


def choose(
    path: Path,
    plan: sampling.Plan,
    sized: Callable[[np.ndarray], np.ndarray],
    most_frames: int | None = None,
    most_bytes: int | None = None,
) -> Chosen:
    """Reads the frames that `plan` chooses by the clock (see `sampling.by_clock`).

    A first pass decodes all frames, keeps those that the header's count asks for, and notes every
    frame's time. If count or times turn out otherwise, a second pass fetches the missing ones.

    Args:
        path: of the file.
        plan: chooses frames.
        sized: changes the size of a kept frame, uint8 [height, width, 3].
        most_frames: of the video.
        most_bytes: of all kept frames.

    Raises:
        UnreadableError: not a video, without pictures, cut off, damaged, or above a limit.
    """
    kept: dict[int, np.ndarray] = {}
    with _opened_whole(path) as capture:
        header = _facts(capture)
        planned = plan(max(1, header.frames), header.frames_per_second)
        wanted = set(planned.indices.ravel().tolist())
        times = _pass(capture, wanted, kept, sized, most_frames, most_bytes)
    _check_whole(path, times, header)
    seconds = np.array(times) / 1e3
    chosen, length = sampling.by_clock(seconds, header.frames_per_second, plan)
    wanted = set(chosen.indices.ravel().tolist())
    missing = wanted - set(kept)
    if missing:
        kept = {at: frame for at, frame in kept.items() if at in wanted}
        with _opened(path) as capture:
            _pass(capture, missing, kept, sized, most_bytes=most_bytes)
        lost = missing - set(kept)
        if lost:
            raise UnreadableError(f"gives other frames when it is read again ({min(lost)} is gone)")
    if sampling.has_times(seconds):
        seconds = seconds - seconds[0]
    else:
        seconds = np.arange(len(seconds)) / header.frames_per_second
    return Chosen(kept, chosen, seconds, length)


def clips(path: Path, frames: int, count: int) -> np.ndarray:
    """Returns the clips of a whole video that `read` chooses, in the video's own size.

    Args:
        path: of the file.
        frames: of a clip.
        count: of the clips, each spread over the whole video (`sampling.frame_indices`).

    Returns:
        Uint8 [clips, frames, height, width, 3], RGB. A video with no more frames than a clip is
        one clip of all of them.

    Raises:
        UnreadableError: as `choose` does.
    """

    def plan(frame_count: int, _: float) -> sampling.Sample:
        return sampling.frame_indices(frame_count, frames, count)

    found = choose(path, plan, _unchanged, most_bytes=_MOST_BYTES)
    chosen = found.sample.indices[:, : found.sample.length].tolist()
    return np.stack([[found.frames[at] for at in clip] for clip in chosen])


def rows(path: Path, frames: int | None, clip_seconds: float | None) -> Iterator[np.ndarray]:
    """Yields the rows of a video: uint8 [frames, height, width, 3], RGB, in the video's own size.

    Args:
        path: of the file.
        frames: of a row, chosen by `sampling.consecutive`; None takes every frame.
        clip_seconds: length of a row's stretch of the video; the stretches follow one another.
            None, and a shorter video, make one row of the whole video. With stretches, a first
            pass reads the times of all frames, and a second one their pixels, so that one row at
            a time is in memory.

    Raises:
        UnreadableError: as `choose` does.
    """
    plan = functools.partial(sampling.consecutive, frames=frames, seconds=clip_seconds)
    if clip_seconds is None:
        found = choose(path, plan, _unchanged, most_bytes=_MOST_BYTES)
        yield np.stack([found.frames[at] for at in found.sample.indices[0].tolist()])
        return
    with _opened_whole(path) as capture:
        header = _facts(capture)
        times = _pass(capture, set(), {}, _unchanged)
    _check_whole(path, times, header)
    chosen, _ = sampling.by_clock(np.array(times) / 1e3, header.frames_per_second, plan)
    kept: dict[int, np.ndarray] = {}
    place = 0
    with _opened(path) as capture:
        for row in chosen.indices.tolist():
            kept = {at: frame for at, frame in kept.items() if at >= row[0]}
            wanted = set(row) - set(kept)
            decoded = _pass(
                capture, wanted, kept, _unchanged, None, _MOST_BYTES, first=place, last=row[-1]
            )
            place += len(decoded)
            if not kept.keys() >= set(row):
                raise UnreadableError("gives other frames when it is read again")
            yield np.stack([kept[at] for at in row])


def frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Yields all frames, one at a time: (seconds, uint8 [height, width, 3], RGB).

    Raises UnreadableError for a file without frames.
    """
    any_frame = False
    with _opened(path) as capture:
        while capture.grab():
            seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
            found, frame = capture.retrieve()
            if found:
                any_frame = True
                yield seconds, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    if not any_frame:
        raise UnreadableError("has no frame that can be decoded")


@contextlib.contextmanager
def _opened_whole(path: Path) -> Iterator[cv2.VideoCapture]:
    """Opens a video that is not cut off."""
    lacking = containers.missing_bytes(path)
    if lacking:
        told = f"{lacking:,} bytes are missing" if lacking > 1 else "something is missing"
        raise UnreadableError(f"is cut off: {told} at its end")
    with _opened(path) as capture:
        yield capture


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    """Opens a video with two threads, one of which decodes ahead while Python looks at a frame.

    FFmpeg itself would start as many as there are cores, for each of several videos at a time.
    """
    capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 2])
    try:
        if not capture.isOpened():
            empty = path.stat().st_size == 0
            raise UnreadableError(
                "is empty" if empty else "has no pictures: not a video, only sound, or damaged"
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # upright, as a player shows it
        yield capture
    finally:
        capture.release()


def _facts(capture: cv2.VideoCapture) -> Facts:
    rate = capture.get(cv2.CAP_PROP_FPS)
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return Facts(
        frames=int(count) if 0 < count < 2**40 else 0,  # negative or immense: unknown
        frames_per_second=rate if 0.01 < rate < 10_000 else sampling.ASSUMED_FRAMES_PER_SECOND,
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
    )


def _pass(
    capture: cv2.VideoCapture,
    wanted: set[int],
    kept: dict[int, np.ndarray],
    sized: Callable[[np.ndarray], np.ndarray],
    most_frames: int | None = None,
    most_bytes: int | None = None,
    *,
    first: int = 0,
    last: int | None = None,
) -> list[float]:
    """Puts the wanted frames into `kept`; returns the times of all frames in milliseconds.

    Args:
        capture: an open video, about to give frame number `first`.
        wanted: numbers of frames.
        kept: receives them.
        sized: changes their size.
        most_frames: of the video.
        most_bytes: of all kept frames.
        first: number of the next frame.
        last: number of the last frame to decode; None decodes all.
    """
    times: list[float] = []
    taken = sum(frame.nbytes for frame in kept.values())
    while (last is None or first + len(times) <= last) and capture.grab():
        place = first + len(times)
        if place in wanted:
            found, frame = capture.retrieve()
            if not found:
                continue  # decoded, but not a picture: does not count as a frame
            kept[place] = cv2.cvtColor(sized(frame), cv2.COLOR_BGR2RGB)
            taken += kept[place].nbytes
            if most_bytes is not None and taken > most_bytes:
                raise UnreadableError("has more pixels than fit into memory at once; cut it")
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
        if most_frames is not None and len(times) > most_frames:
            raise UnreadableError(f"has over {most_frames:,} frames; cut it")
    return times


def _check_whole(path: Path, times: list[float], header: Facts) -> None:
    """Raises UnreadableError for files without frames, pictures, and files with too few frames.

    Args:
        path: of the file.
        times: of all frames that were decoded, in milliseconds.
        header: of the file.
    """
    count = len(times)
    if count == 0:
        raise UnreadableError("has no frame that can be decoded")
    if count == 1 and cv2.haveImageReader(str(path)):
        raise UnreadableError("is a picture, not a video")
    if count < _LEAST_SHARE * header.frames:
        raise UnreadableError(f"gives {count} frames of {header.frames}: it is damaged or cut off")
    lost, after = _lost_between(times) if containers.is_stream(path) else (0, times[-1])
    promised = containers.promised_pictures(path, header.frames)
    if promised - count > max(_FORGIVEN, _FORGIVEN_SHARE * promised):
        lost = promised - count
    if lost:
        raise UnreadableError(
            f"is damaged: {lost:,} of {count + lost:,} frames cannot be decoded, from "
            f"{after / 1e3:.2f} s on"
        )


_FORGIVEN, _FORGIVEN_SHARE = 1, 0.02  # frames that a decoder may leave out, such as the last one
_LEAST_HOLE = 5  # frames
_MOST_HOLES = 3
_EVEN = 1.0  # milliseconds by which the steps of an even film may differ


def _lost_between(times: list[float]) -> tuple[int, float]:
    """Returns how many frames lack in the holes of an even film, and the time before the first.

    A film whose steps are of one length, but for one to three that are as long as five at least,
    has lost frames there. One whose steps vary more has frames as it pleases: 0, and its end.
    """
    times = sorted(times)  # some decoders give them in the order of the file
    steps = np.diff(np.array(times))
    if len(steps) < 2 * _LEAST_HOLE or (usual := float(np.median(steps))) <= 0:
        return 0, times[-1]
    is_hole = steps >= _LEAST_HOLE * usual
    is_even = np.abs(steps[~is_hole] - usual).max(initial=0) <= _EVEN
    if not is_even or not 0 < is_hole.sum() <= _MOST_HOLES:
        return 0, times[-1]
    lost = int(np.rint(steps[is_hole] / usual - 1).sum())
    return lost, times[int(np.flatnonzero(is_hole)[0])]


def _unchanged(frame: np.ndarray) -> np.ndarray:
    return frame


def write(path: Path, frames: np.ndarray) -> None:
    """Writes frames, uint8 [frames, height, width, 3] RGB, as an avi file of JPEG pictures.

    Raises UserError where OpenCV cannot write there.
    """
    codec, size = cv2.VideoWriter.fourcc(*"MJPG"), (frames.shape[2], frames.shape[1])
    rate = sampling.ASSUMED_FRAMES_PER_SECOND
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, rate, size)
    if not writer.isOpened():
        raise errors.UserError(f"{path}: OpenCV cannot write an avi file there")
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


def write_example(run: Path, frames: np.ndarray) -> str:
    """Writes a video into a run's folder; returns its path, for a command to try first."""
    written = run / "example.avi"
    with files.replacing(written) as partial:
        write(partial, frames)
    return str(written)
