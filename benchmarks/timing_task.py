"""Learns to act after an exact delay, with and without peepholes.

The task is that of Gers, Schraudolph and Schmidhuber ("Learning precise timing with LSTM recurrent
networks", 2002), reduced to what can be run many times over:

    delay    one cue, then silence; the network must answer exactly `interval` steps after the cue,
             for one step, and be silent at all others
    stream   no cue, a constant input: answer every `interval` steps, for ever

No shorter interval is ever shown. A network is solved when it answers rightly at every step of the
training sequences; whether it ever does so on longer ones (cues at twice as many times and more
silence, or ten times as many periods) is a second column. Every set of peepholes starts from the
same weights by seed, peepholes from zero, and trains as many steps on the same sequences with the
same optimizer.

    python benchmarks/timing_task.py
    python benchmarks/timing_task.py --task stream --interval 10 --units 4 --seeds 40
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from lstm_layers import PeepholeLSTM

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


EVALUATE_EVERY_STEPS = 50


def clipped_by_seed(gradients: list, seeds: int, units: int, norm: float) -> list:
    """Gradients of all seeds' networks, each network's scaled to at most this norm.

    One layer of seeds * units whose recurrent kernel has one block a seed is as many independent
    networks at the cost of one. Entries between blocks start at zero and get no gradient here.
    """
    block_diagonal = np.tile(np.kron(np.eye(seeds), np.ones((units, units))), 4)
    by_seed = []
    for gradient in gradients:
        if gradient.shape == block_diagonal.shape:
            gradient *= block_diagonal.astype("float32")
        by_seed.append(tf.reshape(gradient, [-1, seeds, min(units, gradient.shape[-1])]))
    squares = tf.add_n([tf.reduce_sum(gradient**2, axis=[0, 2]) for gradient in by_seed])
    scale = tf.minimum(1.0, norm * tf.math.rsqrt(squares + 1e-12))[:, None]
    return [
        tf.reshape(scale * scaled, gradient.shape)
        for scaled, gradient in zip(by_seed, gradients, strict=True)
    ]


class Readout(keras.layers.Layer):
    """One logit for each seed from its own units: (…, seeds * units) to (…, seeds)."""

    def __init__(self, seeds: int, units: int) -> None:
        super().__init__()
        self.seeds, self.units = seeds, units
        self.kernel = self.add_weight(shape=(seeds, units), name="kernel")
        self.bias = self.add_weight(shape=(seeds, 1), initializer="zeros", name="bias")

    def call(self, h: tf.Tensor) -> tf.Tensor:
        by_seed = keras.ops.reshape(h, (*h.shape[:-1], self.seeds, self.units))
        return keras.ops.sum(by_seed * self.kernel, axis=-1) + self.bias[:, 0]


def sequences(task: str, interval: int, longer: bool) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and answers (rows, time, 1); for the delay a row for each time of the cue."""
    if task == "stream":
        steps = np.arange(interval * (30 if longer else 3))
        answers = (steps % interval == interval - 1).astype("float32")[None, :, None]
        return np.ones_like(answers), answers
    cues, quiet_steps = (16, 10) if longer else (8, 2)
    inputs = np.zeros((cues, interval + cues + quiet_steps, 1), "float32")
    answers = np.zeros_like(inputs)
    rows = np.arange(cues)
    inputs[rows, rows] = 1.0
    answers[rows, rows + interval] = 1.0
    return inputs, answers


def build(
    inputs_shape: tuple, peepholes: str, units: int, seeds: int, open_forget_gate: float
) -> keras.Model:
    """The networks of all seeds side by side, from weights that depend on their seed alone."""
    layer = PeepholeLSTM(seeds * units, peepholes=peepholes, return_sequences=True)
    readout = Readout(seeds, units)
    inputs = keras.Input(batch_shape=inputs_shape)
    model = keras.Model(inputs, readout(layer(inputs)))
    kernel, recurrent_kernel, bias, *peephole_weights = layer.get_weights()
    kernel, recurrent_kernel = np.zeros_like(kernel), np.zeros_like(recurrent_kernel)
    gates = [gate * seeds * units for gate in range(4)]
    bias[gates[1] : gates[2]] = open_forget_gate
    answer_kernel = np.zeros((seeds, units))
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        own = slice(seed * units, (seed + 1) * units)
        columns = np.concatenate([np.arange(own.start, own.stop) + gate for gate in gates])
        kernel[:, columns] = draw.uniform(-0.5, 0.5, (1, 4 * units))
        recurrent_kernel[own, columns] = draw.uniform(-0.5, 0.5, (units, 4 * units))
        answer_kernel[seed] = draw.uniform(-0.5, 0.5, units)
    layer.set_weights([kernel, recurrent_kernel, bias, *peephole_weights])
    readout.set_weights([answer_kernel, np.zeros((seeds, 1))])
    return model


def steps_to_solve(options: argparse.Namespace, peepholes: str) -> np.ndarray:
    """Trains all seeds together.

    Returns:
        (2, seeds): the step at which each was first found solved, on the training sequences and
        on the longer ones; nan where it never was.
    """
    kinds = [sequences(options.task, options.interval, longer) for longer in (False, True)]
    networks = [
        build(inputs.shape, peepholes, options.units, options.seeds, options.forget_bias)
        for inputs, _ in kinds
    ]
    (inputs, answers), model = kinds[0], networks[0]
    # Half as much weight on the one answer as on all the silence around it.
    weights = 1.0 + (0.5 * options.interval - 1.0) * answers
    optimizer = keras.optimizers.Adam(options.learning_rate)
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=True)
    def train_step() -> None:
        with tf.GradientTape() as tape:
            logits = model(inputs)
            entropy = tf.nn.sigmoid_cross_entropy_with_logits(
                labels=tf.broadcast_to(answers, logits.shape), logits=logits
            )
            # Summed over seeds: one network's gradient does not depend on the number of others.
            loss = tf.reduce_sum(entropy * weights) / weights.sum()
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(clipped_by_seed(gradients, options.seeds, options.units, options.clip))

    @tf.function(jit_compile=True)
    def solved() -> list[tf.Tensor]:
        return [
            tf.reduce_all((network(inputs) > 0.0) == (answers > 0.5), axis=[0, 1])
            for network, (inputs, answers) in zip(networks, kinds, strict=True)
        ]

    first = np.full((2, options.seeds), np.nan)
    for step in range(1, options.steps + 1):
        train_step()
        if step % EVALUATE_EVERY_STEPS == 0:
            networks[1].set_weights(model.get_weights())
            first[np.stack(solved()) & np.isnan(first)] = step
    return first


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--task", choices=("delay", "stream"), default="delay")
    parser.add_argument("--interval", type=int, default=40, help="steps (default %(default)s)")
    parser.add_argument("--units", type=int, default=2, help="of each network (%(default)s)")
    parser.add_argument("--seeds", type=int, default=100, help="networks (%(default)s)")
    parser.add_argument("--steps", type=int, default=6000, help="of training (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=0.02, help="of Adam (%(default)s)")
    parser.add_argument(
        "--clip", type=float, default=1.0, help="of the gradient's norm (%(default)s)"
    )
    parser.add_argument("--forget-bias", type=float, default=3.0, help="at the start (%(default)s)")
    parser.add_argument(
        "--peepholes",
        nargs="+",
        default=["none", "i", "f", "o", "ifo"],
        help="sets to compare, letters of ifo each (default %(default)s)",
    )
    options = parser.parse_args(arguments)
    print(
        f"{options.task}, interval {options.interval} steps, {options.units} units, "
        f"{options.steps} training steps"
    )
    print("peepholes    solved  median steps to solve  solved on longer  CPU seconds")
    for name in options.peepholes:
        start = time.process_time()
        first = steps_to_solve(options, "" if name == "none" else name)
        solved, longer = (f"{n}/{options.seeds}" for n in np.count_nonzero(first > 0, axis=1))
        # Over all seeds, an unsolved one counting as later than any.
        median = np.median(np.nan_to_num(first[0], nan=np.inf))
        steps = f"{median:.0f}" if np.isfinite(median) else f"over {options.steps}"
        seconds = time.process_time() - start
        print(f"{name:>9}  {solved:>8}  {steps:>21}  {longer:>16}  {seconds:11.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
