"""Every LSTM variant in NumPy, step by step, from the papers' equations and not from the layers."""

import numpy as np

ACTIVATIONS = {
    "tanh": np.tanh,
    "linear": lambda z: z,
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "softsign": lambda z: z / (1.0 + np.abs(z)),
}


def _layer_norm(values, gain, shift=0.0):
    mean, variance = values.mean(-1, keepdims=True), values.var(-1, keepdims=True)
    return (values - mean) / np.sqrt(variance + 1e-5) * gain + shift


def run(weights, options, x, state, *, seen_by_peepholes=None, keep=None):
    """Runs a variant.

    Args:
        weights: float64 arrays by the name of the weight.
        options: those of `VariantLSTM` that are not at their defaults.
        x: (batch, time, features).
        state: h, c and further gates before the first step.
        seen_by_peepholes: c of every step, and before the first, that the peepholes are to see
            in place of c: what a truncated gradient takes for constant.
        keep: (batch, time) bool, False where every state is copied.

    Returns:
        h (batch, time, size), the last state, and every c with the first one, (time + 1, …).
    """
    gates = options.get("gates", "ifo")
    coupled = options.get("coupled_gates", False)
    zoneout = options.get("zoneout_c", 0.0), options.get("zoneout_h", 0.0)
    phi_in = ACTIVATIONS[options.get("input_activation") or options.get("activation", "tanh")]
    phi_out = ACTIVATIONS[options.get("output_activation") or options.get("activation", "tanh")]
    sigma = ACTIVATIONS[options.get("recurrent_activation", "sigmoid")]
    units = state[1].shape[1]
    letters = [
        letter
        for letter in "ifgo"
        if letter == "g" or (letter in gates and not (coupled and letter == "f"))
    ]
    columns = {letter: slice(n * units, (n + 1) * units) for n, letter in enumerate(letters)}
    own_gates = [letter for letter in letters if letter != "g"]
    names = {"i": "input_peephole", "f": "forget_peephole", "o": "output_peephole"}

    state = [np.array(each) for each in state]
    outputs, cells = [], [state[1]]
    for t in range(x.shape[1]):
        h, c, *before = state
        from_x, from_h = x[:, t] @ weights["kernel"], h @ weights["recurrent_kernel"]
        if options.get("layer_normalization"):
            from_x = _layer_norm(from_x, weights["input_gain"])
            from_h = _layer_norm(from_h, weights["recurrent_gain"])
        a = from_x + from_h + weights.get("bias", 0.0)

        def value(letter, cell, a=a, before=before):
            z = a[:, columns[letter]]
            if before:
                at = own_gates.index(letter) * units
                z = z + np.concatenate(before, 1) @ weights["gate_kernel"][:, at : at + units]
            if names[letter] in weights:
                z = z + weights[names[letter]] * cell
            return sigma(z)

        c_seen = c if seen_by_peepholes is None else seen_by_peepholes[t]
        i = value("i", c_seen) if "i" in gates else 1.0
        f = 1.0 - i if coupled else value("f", c_seen) if "f" in gates else 1.0
        new_c = f * c + i * phi_in(a[:, columns["g"]])
        if options.get("cell_clip"):
            new_c = np.clip(new_c, -options["cell_clip"], options["cell_clip"])
        new_seen = new_c if seen_by_peepholes is None else seen_by_peepholes[t + 1]
        o = value("o", new_seen) if "o" in gates else 1.0
        shown = new_c
        if options.get("layer_normalization"):
            shown = _layer_norm(new_c, weights["cell_gain"], weights["cell_shift"])
        new_h = o * phi_out(shown)
        if "projection_kernel" in weights:
            new_h = new_h @ weights["projection_kernel"]
        if zoneout[0]:
            new_c = zoneout[0] * c + (1.0 - zoneout[0]) * new_c
        if zoneout[1]:
            new_h = zoneout[1] * h + (1.0 - zoneout[1]) * new_h
        new = [new_h, new_c]
        if before:
            new += [{"i": i, "f": f, "o": o}[letter] for letter in own_gates]
        if keep is not None:
            new = [np.where(keep[:, t, None], *pair) for pair in zip(new, state, strict=True)]
        state = new
        outputs.append(state[0])
        cells.append(state[1])
    return np.stack(outputs, axis=1), state, np.stack(cells)


def slopes(function, arrays):
    """Central differences of a scalar function of these arrays, by name."""
    found = {}
    for name, array in arrays.items():
        found[name] = np.zeros(array.shape)
        for position in np.ndindex(array.shape):
            for sign in (1.0, -1.0):
                moved = array.copy()
                moved[position] += sign * 1e-6
                found[name][position] += sign * function({**arrays, name: moved}) / 2e-6
    return found
