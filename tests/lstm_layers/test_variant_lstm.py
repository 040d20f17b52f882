"""Options, weights and random parts of the variants, by their names too."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_layers
from lstm_layers import GREFF_VARIANTS, PeepholeLSTM, VariantLSTM, VariantLSTMCell, greff_variant

# How many parts W and R have, by name.
NAMED = {
    "LSTM1997": 3,
    "LSTM2000": 4,
    "CoupledLSTM": 3,
    "ProjectedLSTM": 4,
    "LayerNormLSTM": 4,
    "ZoneoutLSTM": 4,
}


def _built(layer, features=2):
    layer.build((4, 6, features))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer


def _with_weights_of(layer, **options):
    config = {**layer.get_config(), **options, "name": None}
    other = type(layer).from_config(config)
    other.build((4, 6, 2))
    other.set_weights(layer.get_weights())
    return other


@pytest.mark.parametrize("name", NAMED)
def test_a_named_variant_is_a_layer_that_survives_saving(name, sequences, tmp_path):
    needed = {"projection_units": 2} if name == "ProjectedLSTM" else {}
    layer = getattr(lstm_layers, name)(4, **needed, return_sequences=True)
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, layer(inputs))
    assert layer.weights[0].shape == (2, 4 * NAMED[name])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[1]) is type(layer)
    assert loaded.layers[1].get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(sequences), model(sequences))


def test_options_of_a_named_variant_can_be_given_as_well():
    layer = lstm_layers.LSTM1997(3, peepholes="o", cell_clip=1.0, dropout=0.1)
    assert layer.get_config()["gates"] == "io"
    assert layer.get_config()["peepholes"] == "o"
    assert layer.get_config()["cell_clip"] == 1.0


@pytest.mark.parametrize("name", GREFF_VARIANTS)
def test_greff_s_variants_have_the_weights_that_they_are_about(name):
    layer = greff_variant(name, 3)
    layer.build((None, None, 2))
    names = [weight.name for weight in layer.weights]
    columns = {"NIG": 9, "NFG": 9, "NOG": 9, "CIFG": 9}.get(name, 12)
    assert layer.weights[1].shape == (3, columns)
    peepholes = {"NIG": 2, "NFG": 2, "NOG": 2, "CIFG": 2, "NP": 0}.get(name, 3)
    assert sum("peephole" in each for each in names) == peepholes
    assert ("gate_kernel" in names) == (name == "FGR")
    assert len(layer.state_size) == (5 if name == "FGR" else 2)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"one of V, NIG.*got 'LSTM'"):
        greff_variant("LSTM", 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gates": "ix"}, 'gates must be letters of "ifo"'),
        ({"gates": "ii"}, "at most once"),
        ({"gates": "io", "peepholes": "f"}, 'peepholes must be letters of "io"'),
        ({"coupled_gates": True, "peepholes": "f"}, 'peepholes must be letters of "io"'),
        ({"coupled_gates": True, "gates": "fo"}, "needs an input gate"),
        ({"gates": "", "full_gate_recurrence": True}, "a gate that is computed"),
        ({"zoneout_c": 1.0}, "zoneout_c must be in"),
        ({"zoneout_h": -0.1}, "zoneout_h must be in"),
        ({"cell_clip": 0.0}, "cell_clip must be positive"),
        ({"projection_units": 0}, "projection_units must be positive"),
        ({"input_activation": "gelu"}, "not supported"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        VariantLSTM(3, **options)


def test_the_forget_bias_starts_at_one_wherever_the_forget_gate_is():
    layer = VariantLSTM(2, gates="fo")
    layer.build((None, None, 2))
    np.testing.assert_array_equal(layer.cell.bias, [1, 1, 0, 0, 0, 0])
    coupled = VariantLSTM(2, coupled_gates=True)
    coupled.build((None, None, 2))
    assert not np.any(coupled.cell.bias)


def test_a_projection_makes_the_output_and_h_smaller_than_the_cell(sequences):
    layer = lstm_layers.ProjectedLSTM(5, 2, return_sequences=True, return_state=True)
    outputs, h, c = layer(sequences)
    assert (outputs.shape, h.shape, c.shape) == ((4, 6, 2), (4, 2), (4, 5))
    assert layer.compute_output_shape((4, 6, 2)) == ((4, 6, 2), (4, 2), (4, 5))
    state = layer.get_initial_state(4)
    for t in range(6):
        output, state = layer.step(sequences[:, t], state)
        np.testing.assert_allclose(output, outputs[:, t], rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"initial state 1.*\(4, 2\).*\(4, 5\)"):
        layer(sequences, initial_state=[h, h])


def test_cell_clip_acts_and_lets_no_gradient_through_where_it_cuts():
    layer = _built(VariantLSTM(3, gates="", cell_clip=0.5, return_state=True))
    x = tf.constant(np.linspace(-0.3, 3.0, 8).reshape(4, 1, 2).astype("float32"))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        c = layer(x)[2]
        is_cut = np.abs(c) == 0.5
        cut, free = tf.boolean_mask(c, is_cut), tf.boolean_mask(c, ~is_cut)
    assert np.abs(c).max() == 0.5
    assert is_cut.any()
    assert (~is_cut).any()
    assert not tape.gradient(cut, x).numpy().any()
    assert tape.gradient(free, x).numpy().any()
    assert np.abs(_with_weights_of(layer, cell_clip=None)(x)[2]).max() > 0.5


def _zoneout(**rates):
    return _built(
        VariantLSTM(3, **rates, seed=1, return_sequences=True, return_state=True), features=2
    )


@pytest.mark.parametrize("rates", [{"zoneout_c": 0.5}, {"zoneout_h": 0.5}])
def test_zoneout_draws_in_training_anew_each_time(rates, sequences):
    layer = _zoneout(**rates)
    quiet = layer(sequences)[0]
    np.testing.assert_array_equal(layer(sequences, training=False)[0], quiet)
    one, other = (layer(sequences, training=True)[0] for _ in range(2))
    assert np.abs(one - quiet).max() > 1e-3
    assert np.abs(one - other).max() > 1e-3
    same = _with_weights_of(layer)
    np.testing.assert_array_equal(same(sequences, training=True)[0], one)


def test_zoneout_keeps_as_many_entries_of_h_as_it_should():
    layer = VariantLSTM(50, zoneout_h=0.3, seed=0, return_sequences=True)
    x = np.random.default_rng(0).normal(size=(20, 30, 2)).astype("float32")
    h = layer(x, training=True).numpy()
    kept = h[:, 1:] == h[:, :-1]
    assert kept.mean() == pytest.approx(0.3, abs=0.02)
    by_step = kept.mean(axis=(0, 2))
    assert 0.2 < by_step.min() < by_step.max() < 0.4, "each step draws its own"
    assert (kept[0] != kept[1]).mean() > 0.3, "each row draws its own"


def test_expectation_of_one_step_is_what_is_taken_outside_training():
    """Over many draws, since one step is linear in what zoneout draws."""
    layer = VariantLSTM(4, zoneout_c=0.4, zoneout_h=0.2, seed=0, return_state=True)
    rows = 20_000
    rng = np.random.default_rng(0)
    x = np.tile(rng.normal(size=(1, 1, 2)), (rows, 1, 1)).astype("float32")
    state = [np.tile(rng.normal(size=(1, 4)), (rows, 1)).astype("float32") for _ in range(2)]
    for drawn, expected in zip(
        layer(x, initial_state=state, training=True)[1:],
        layer(x, initial_state=state)[1:],
        strict=True,
    ):
        np.testing.assert_allclose(np.mean(drawn, axis=0), expected[0], atol=0.03)


def test_the_cell_alone_draws_in_training_too():
    cell = VariantLSTMCell(3, zoneout_c=0.5, zoneout_h=0.5, seed=0)
    x, states = np.ones((8, 4), "float32"), [np.ones((8, 3), "float32")] * 2
    quiet, _ = cell(x, states)
    np.testing.assert_array_equal(cell(x, states, training=False)[0], quiet)
    assert (np.asarray(cell(x, states, training=True)[0]) == 1.0).any()


@pytest.mark.parametrize("jit_compile", [False, True])
def test_zoneout_trains(jit_compile, sequences):
    model = keras.Sequential([lstm_layers.ZoneoutLSTM(3), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=jit_compile)
    losses = model.fit(sequences, np.ones((4, 1)), epochs=2, shuffle=False, verbose=0)
    assert np.isfinite(losses.history["loss"]).all()


def test_normalisation_makes_the_scale_of_the_input_indifferent(sequences):
    layer = _built(VariantLSTM(3, layer_normalization=True))
    np.testing.assert_allclose(layer(100.0 * sequences), layer(10.0 * sequences), atol=1e-3)
    plain = _built(VariantLSTM(3))
    assert np.abs(plain(100.0 * sequences) - plain(10.0 * sequences)).max() > 0.01


def test_which_loop_ran_is_told(sequences):
    layer = VariantLSTM(3)
    layer(sequences)
    assert layer.implementation_used == "portable"
    with pytest.raises(ValueError, match="VariantLSTMCell has none"):
        VariantLSTM(3, implementation="graph")(sequences)
    derived = PeepholeLSTM(3)
    derived(sequences)
    assert derived.implementation_used != "portable"
