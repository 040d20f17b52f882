"""Recurrences in NumPy and in 64 bits, from the equations: the oracle of the conformance tests.

Weights are named as in the layers: `kernel`, `recurrent_kernel`, `bias`, `input_peephole`,
`forget_peephole`, `output_peephole`. Columns are in the order of Keras: i, f, g, o and z, r, n.
"""

import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda z: np.maximum(z, 0.0),
    "linear": lambda z: z,
    "softsign": lambda z: z / (1.0 + np.abs(z)),
    "hard_sigmoid": lambda z: np.clip(z / 6.0 + 0.5, 0.0, 1.0),
}


def lstm_step(w, x, state, phi=np.tanh, sigma=sigmoid):
    """Computes [h, c] of a step from [h', c'], each (batch, units)."""
    h, c = state
    a_i, a_f, a_g, a_o = np.split(x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"], 4, -1)
    i = sigma(a_i + w.get("input_peephole", 0.0) * c)
    f = sigma(a_f + w.get("forget_peephole", 0.0) * c)
    new = f * c + i * phi(a_g)
    o = sigma(a_o + w.get("output_peephole", 0.0) * new)
    return [o * phi(new), new]


def gru_step(w, x, state, phi=np.tanh, sigma=sigmoid):
    """Computes [h] of a step; a bias of two rows tells that the reset gate comes after R."""
    (h,) = state
    after = np.ndim(w["bias"]) == 2
    b, d = w["bias"] if after else (w["bias"], np.zeros(1))
    x_z, x_r, x_n = np.split(x @ w["kernel"] + b, 3, -1)
    kernels = np.split(w["recurrent_kernel"], 3, -1)
    d_z, d_r, d_n = np.split(d, 3) if after else (0.0, 0.0, 0.0)
    z = sigma(x_z + h @ kernels[0] + d_z)
    r = sigma(x_r + h @ kernels[1] + d_r)
    fed_back = r * (h @ kernels[2] + d_n) if after else (r * h) @ kernels[2]
    return [z * h + (1.0 - z) * phi(x_n + fed_back)]


def simple_step(w, x, state, phi=np.tanh, sigma=None):
    return [phi(x @ w["kernel"] + state[0] @ w["recurrent_kernel"] + w["bias"])]


STEPS = {"lstm": lstm_step, "gru": gru_step, "simple": simple_step}


def run(kind, weights, x, state=None, mask=None, backwards=False, phi="tanh", sigma="sigmoid"):
    """Runs a recurrence over time.

    Args:
        kind: a key of `STEPS`.
        weights: arrays by name.
        x: (batch, time, features).
        state: list of (batch, units), h first; zeros by default.
        mask: (batch, time) bool: False copies every state from the step before.
        backwards: from the last step to the first; outputs come in that order.
        phi, sigma: names of `ACTIVATIONS`.

    Returns:
        h of every step (batch, time, units), and the last state.
    """
    weights = {name: np.asarray(value, "float64") for name, value in weights.items()}
    units = weights["recurrent_kernel"].shape[0]
    x = np.asarray(x, "float64")
    if state is None:
        state = [np.zeros((len(x), units))] * (2 if kind == "lstm" else 1)
    state = [np.asarray(each, "float64") for each in state]
    functions = ACTIVATIONS[phi], ACTIVATIONS[sigma]
    outputs = np.zeros((*x.shape[:2], units))
    order = range(x.shape[1])[::-1] if backwards else range(x.shape[1])
    for position, t in enumerate(order):
        new = STEPS[kind](weights, x[:, t], state, *functions)
        if mask is not None:
            keep = np.asarray(mask)[:, t, None]
            new = [np.where(keep, *pair) for pair in zip(new, state, strict=True)]
        state = new
        outputs[:, position] = state[0]
    return outputs, state


def weights_of(layer):
    """Returns the weights of a layer of one recurrence by name, with a bias of zeros for none."""
    weights = {weight.path.rsplit("/", 1)[-1]: weight.numpy() for weight in layer.weights}
    return {"bias": np.zeros(weights["recurrent_kernel"].shape[1]), **weights}
