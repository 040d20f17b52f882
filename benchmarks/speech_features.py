"""Counts the clips that become features in a second, beside librosa alone on the same cores.

    ours      what training does: feature_cache, shards written to the disk, processes started anew
    librosa   a pool of as many processes that calls librosa on the same clips and drops the result
    served    the operations of an exported model, in batches of 64, one process with all cores

Both pools are measured from nothing to the last clip, in turn; the ratio is the median over the
rounds. librosa's products run on one thread in each process: left alone, the threads of several
processes wait for each other, which is slower.

    python benchmarks/speech_features.py
    python benchmarks/speech_features.py --clips 4000 --rounds 1
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import dataclasses
import functools
import io
import multiprocessing
import os
import sys
import tempfile
import time

import librosa
import numpy as np

from apps.speech_commands.config import Config
from apps.speech_commands.recordings import Recording
from apps.suite import process
from apps.suite.sounds import feature_cache
from apps.suite.sounds import features as reference_features

# Before NumPy is loaded, in this process and in those that it starts.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


KINDS = ("log_mel", "mfcc", "pcen")
_KEPT_CLIPS = 100
_TASK_CLIPS = 200


@dataclasses.dataclass(frozen=True)
class Clips:
    """A part of any number of clips of one second, which repeat after a hundred."""

    count: int
    samples: np.ndarray  # int16 [clips, samples], as files hold them

    @functools.cached_property
    def recordings(self) -> tuple[Recording, ...]:
        return tuple(Recording(f"{index}.wav", "word", "") for index in range(self.count))

    def waveform(self, index: int) -> np.ndarray:
        return self.samples[index % len(self.samples)].astype(np.float32) / 2**15


def made_clips(count: int, sample_rate_hz: int) -> Clips:
    """Noise that swells and falls as a word does."""
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.1, (_KEPT_CLIPS, sample_rate_hz)) * np.hanning(sample_rate_hz)
    return Clips(count, (noise * 2**15).astype(np.int16))


def with_librosa(waveform: np.ndarray, config: Config) -> np.ndarray:
    """What one would write with librosa alone, in its own float32."""
    features, rate = config.features, config.audio.sample_rate_hz
    sizes = reference_features.frame_sizes(config.audio, features)
    bands = librosa.feature.melspectrogram(
        y=waveform,
        sr=rate,
        n_fft=sizes.transform,
        hop_length=sizes.hop,
        center=False,
        power=1.0 if features.kind == "pcen" else 2.0,
        n_mels=features.mel_bands,
        fmin=features.lowest_hz,
        fmax=features.highest_hz,
    )
    if features.kind == "pcen":
        return librosa.pcen(bands * 2**31, sr=rate, hop_length=sizes.hop)
    decibels = librosa.power_to_db(bands, top_db=None)
    if features.kind == "mfcc":
        return librosa.feature.mfcc(S=decibels, n_mfcc=features.coefficients)
    return decibels


_given: tuple[Clips, Config]


def _begin(clips: Clips, config: Config) -> None:
    global _given
    _given = clips, config


def _task(start: int) -> None:
    clips, config = _given
    for index in range(start, min(start + _TASK_CLIPS, clips.count)):
        with_librosa(clips.waveform(index), config)


def librosa_seconds(clips: Clips, config: Config, processes: int) -> float:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["librosa"])
    began = time.perf_counter()
    with concurrent.futures.ProcessPoolExecutor(
        processes, context, initializer=_begin, initargs=(clips, config)
    ) as pool:
        for _ in pool.map(_task, range(0, clips.count, _TASK_CLIPS)):
            pass
    return time.perf_counter() - began


def our_seconds(clips: Clips, config: Config, processes: int, copies: int = 0) -> float:
    options = {"fingerprint": str(time.time_ns()), "title": "", "processes": processes}
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        os.environ["LSTM_TASKS_CACHE"] = folder
        began = time.perf_counter()
        feature_cache.extracted(clips, ["word"], config, copies=copies, **options)
        return time.perf_counter() - began


def served_seconds(clips: Clips, config: Config) -> float:
    import tensorflow as tf

    from apps.suite.sounds import served_features

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)], autograph=False)
    def served(waveforms: tf.Tensor) -> tf.Tensor:
        return served_features.whole(waveforms, config.audio, config.features)

    batch = np.stack([clips.waveform(index) for index in range(64)])
    served(batch)
    began = time.perf_counter()
    for _ in range(-(-clips.count // 64)):
        served(batch)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=20_000, help="of 1 s (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of both pools (%(default)s)")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    process.quiet_tensorflow()
    clips = made_clips(options.clips, Config().audio.sample_rate_hz)
    our_seconds(made_clips(1_000, 16_000), Config(), 2)  # imports, starts what starts processes
    print(
        f"{options.clips:,} clips of 1 s at 16 kHz, {options.processes} processes, clips a second"
    )
    print("| features | ours | librosa | ours to librosa | ours with 4 altered copies | served |")
    print("|---|---|---|---|---|---|")
    for kind in KINDS:
        config = Config()
        config = dataclasses.replace(
            config, features=dataclasses.replace(config.features, kind=kind)
        )
        pairs = np.array(
            [
                [
                    our_seconds(clips, config, options.processes),
                    librosa_seconds(clips, config, options.processes),
                ]
                for _ in range(options.rounds)
            ]
        )
        ours, theirs = clips.count / np.median(pairs, axis=0)
        fewer = dataclasses.replace(clips, count=clips.count // 5)
        altered = our_seconds(fewer, config, options.processes, copies=4)
        served = clips.count / served_seconds(clips, config)
        print(
            f"| {kind} | {ours:,.0f} | {theirs:,.0f} | {np.median(pairs[:, 1] / pairs[:, 0]):.2f} "
            f"| {5 * fewer.count / altered:,.0f} | {served:,.0f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
