"""Reads sound files and streams at a wanted rate: whole, or block by block."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from apps.suite import errors
from apps.suite.runs import files
from apps.suite.sounds import wav_headers

SUFFIXES = (
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".snd",
    ".w64", ".wav", ".wave",
)  # fmt: skip
"""Endings of the sound files that libsndfile reads."""

KINDS = "wav, flac, ogg, mp3 or aiff"
"""The usual ones of them, for errors."""

LONGEST_CLIP_SECONDS = 60.0
_LOUDEST = 2.0  # above the overshoot of resampling
_UNKNOWN_LENGTH = 1 << 62  # libsndfile answers more if a header has no length


class Length(NamedTuple):
    """Length that a header declares."""

    frames: int  # samples of each channel
    sample_rate_hz: int

    @property
    def seconds(self) -> float:
        return self.frames / self.sample_rate_hz


def length(path: Path) -> Length:
    """Reads the length of a recording from its header, or counts where that does not say it.

    Counting ends a second after `LONGEST_CLIP_SECONDS`.

    Raises:
        UserError: no such file, not audio, no samples, or a header that does not fit its file.
    """
    with _opened(path) as file:
        return _length(file, path)


def check_clip(path: Path) -> None:
    """Raises UserError as `read` does, for everything that a header tells."""
    _check_clip(length(path), path)


def read(
    path: Path, sample_rate_hz: int, first_frame: int = 0, frames: int | None = None
) -> np.ndarray:
    """Reads a recording, or `frames` of it from `first_frame` on (counted at the file's own rate).

    Channels are mixed to one, other rates resampled (soxr, high quality).

    Returns:
        Float32 [samples] in -1..1; resampling may overshoot by a little.

    Raises:
        UserError: as `length`; a whole file longer than `LONGEST_CLIP_SECONDS`, which is not
            loaded; a damaged file; samples that are not numbers, or far outside -1..1.
    """
    import soxr

    with _opened(path) as file:
        declared = _length(file, path)
        if frames is None:
            _check_clip(declared, path)
        count = declared.frames - first_frame if frames is None else frames
        with _explained(path):
            if first_frame:
                file.seek(first_frame)
            content = file.read(count, dtype="float32", always_2d=True)
    samples = _mono(content, path, first_frame)
    _check_count(path, first_frame + count, first_frame + len(samples))
    resampled = soxr.resample(samples, declared.sample_rate_hz, sample_rate_hz)
    if not len(resampled):
        raise errors.UserError(f"{path}: holds no sample at {sample_rate_hz} Hz; remove the file")
    return resampled


def blocks(path: Path, sample_rate_hz: int, block_seconds: float) -> Iterator[np.ndarray]:
    """Reads a recording of any length in blocks of about `block_seconds`; together they are `read`.

    One block at a time is in memory. Yields float32 [samples], never empty. Errors are the ones
    of `read`, except that no file is too long; they come with the block in question.
    """
    with _opened(path) as file:

        def mono() -> Iterator[np.ndarray]:
            count = max(1, round(block_seconds * file.samplerate))
            place = 0
            while True:
                with _explained(path):
                    block = file.read(count, dtype="float32", always_2d=True)
                if not len(block):
                    break
                yield _mono(block, path, place)
                place += len(block)
            if file.frames <= _UNKNOWN_LENGTH:
                _check_count(path, file.frames, place)

        yield from _resampled(mono(), file.samplerate, sample_rate_hz)


def raw_blocks(
    stream: BinaryIO, stream_rate_hz: int, sample_rate_hz: int, block_seconds: float
) -> Iterator[np.ndarray]:
    """Reads raw mono samples of a pipe, little-endian int16 at `stream_rate_hz`, as `blocks` does.

    Yields the result of each read of `block_seconds`, and so follows a live stream. Half a sample
    at the end is dropped.
    """

    def mono() -> Iterator[np.ndarray]:
        count = max(1, round(block_seconds * stream_rate_hz)) * 2
        odd = b""
        while content := stream.read(count):
            content = odd + content
            whole = len(content) - len(content) % 2
            odd = content[whole:]
            if whole:
                yield np.frombuffer(content[:whole], "<i2").astype(np.float32) / 32768

    return _resampled(mono(), stream_rate_hz, sample_rate_hz)


def _resampled(sound: Iterator[np.ndarray], from_hz: int, to_hz: int) -> Iterator[np.ndarray]:
    if from_hz == to_hz:
        yield from sound
        return
    import soxr

    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32")
    for block in sound:
        made = stream.resample_chunk(block)
        if len(made):
            yield made
    rest = stream.resample_chunk(np.zeros(0, np.float32), last=True)
    if len(rest):
        yield rest


def _length(file: Any, path: Path) -> Length:
    """Returns the length of an open file; samples of a pipe, without a length, are counted."""
    if file.frames <= _UNKNOWN_LENGTH:
        return Length(file.frames, file.samplerate)
    frames, most = 0, int((LONGEST_CLIP_SECONDS + 1) * file.samplerate)
    with _opened(path) as streamed, _explained(path):
        while frames < most and (block := len(streamed.read(file.samplerate, always_2d=True))):
            frames += block
    return Length(frames, file.samplerate)


def _check_count(path: Path, declared: int, held: int) -> None:
    if declared != held:
        raise errors.UserError(
            f"{path}: the header declares {declared:,} samples, the file holds {held:,}; it is cut "
            "off or damaged: write it anew"
        )


def _check_clip(declared: Length, path: Path) -> None:
    if declared.seconds > LONGEST_CLIP_SECONDS:
        raise errors.UserError(
            f"{path}: {declared.seconds:,.1f} s is longer than the {LONGEST_CLIP_SECONDS:g} s "
            "that a clip may have; cut it into words"
        )


def _mono(samples: np.ndarray, path: Path, first_frame: int) -> np.ndarray:
    """Mixes [frames, channels] to float32 [frames], and checks the samples."""
    mixed = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(samples).all():
        place = first_frame + int(np.flatnonzero(~np.isfinite(samples).all(axis=1))[0])
        raise errors.UserError(f"{path}: sample {place:,} is not a number; mend or remove the file")
    loudest = float(np.abs(samples).max(initial=0.0))
    if loudest > _LOUDEST:
        raise errors.UserError(
            f"{path}: a sample is {loudest:,.1f}; samples of a float file lie in -1..1: scale it"
        )
    return np.ascontiguousarray(mixed)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Opens a `soundfile.SoundFile` with at least one sample."""
    import soundfile

    if not path.is_file():
        raise errors.UserError(f"{path}: no such file")
    with contextlib.ExitStack() as stack:
        with _explained(path):
            wav_headers.check(path)
            # By name, libsndfile also reads a file ._name, as macOS leaves it beside the sound.
            descriptor = stack.enter_context(path.open("rb")).fileno()
            unclosed = wav_headers.unclosed(path)
            if unclosed:
                content = stack.enter_context(wav_headers.Mended(path, unclosed))
                file = stack.enter_context(soundfile.SoundFile(content))
            else:
                file = stack.enter_context(soundfile.SoundFile(descriptor, closefd=False))
            if file.frames > _UNKNOWN_LENGTH:
                os.lseek(descriptor, 0, os.SEEK_SET)
                file = stack.enter_context(_streamed(descriptor))
        if file.frames == 0:
            raise errors.UserError(f"{path}: holds no sample (empty, or cut off); remove the file")
        yield file


def _streamed(descriptor: int) -> Any:
    """Opens a file without a length, which libsndfile reads in order and cannot seek in."""
    import soundfile

    class Streamed(soundfile.SoundFile):
        def seekable(self) -> bool:
            return False

        def seek(self, frames: int, whence: int = 0) -> int:
            read = 0
            while read < frames and (block := len(self.read(min(frames - read, 1 << 16)))):
                read += block
            return read

    return Streamed(descriptor, closefd=False)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    import soundfile

    try:
        yield
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise errors.UserError(
            f"{path}: cannot be read as audio ({reason}); give {KINDS}"
        ) from None
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read: {error.strerror}") from None


def wav_bytes(waveform: np.ndarray, sample_rate_hz: int) -> bytes:
    """Returns a WAV file of 16 bits; samples outside -1..1 are clipped."""
    import soundfile

    content = io.BytesIO()
    # libsndfile would scale by 32767, other than all that reads it.
    whole = np.clip(np.round(waveform * 32768.0), -32768, 32767).astype(np.int16)
    soundfile.write(content, whole, sample_rate_hz, subtype="PCM_16", format="WAV")
    return content.getvalue()


def write_example(run: Path, waveform: np.ndarray, sample_rate_hz: int) -> str:
    """Writes a recording into a run's folder; returns its path, for a command to try first."""
    written = run / "example.wav"
    files.write_atomically(written, wav_bytes(waveform, sample_rate_hz))
    return str(written)
