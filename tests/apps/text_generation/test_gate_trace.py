"""The recomputed gates are those that the model has."""

import keras
import numpy as np
import pytest

from apps.suite.networks import sampling
from apps.text_generation import config as configs
from apps.text_generation import gate_trace, model

TOKENS = np.random.default_rng(0).integers(0, 9, 40)


def streaming_model(layer):
    keras.utils.set_random_seed(0)
    sizes = configs.ModelConfig(layer=layer, layer_count=2, units=5, embedding_units=4)
    made = model.build_streaming(configs.Config(model=sizes), vocabulary_size=9)
    for weight in made.trainable_weights:
        weight.assign(np.random.default_rng(1).normal(0, 0.7, weight.shape))
    return made


@pytest.mark.parametrize("layer", ["peephole_lstm", "lstm"])
@pytest.mark.parametrize("depth", [0, 1])
def test_the_last_states_are_those_of_the_model(layer, depth):
    streaming = streaming_model(layer)
    steps = gate_trace.trace(streaming, TOKENS, depth)
    states = sampling.initial_states(streaming, 1)
    _, *after = streaming([keras.ops.array(TOKENS[None]), *states])
    np.testing.assert_allclose(steps.h[-1], after[2 * depth][0], atol=1e-5)
    np.testing.assert_allclose(steps.c[-1], after[2 * depth + 1][0], atol=1e-5)


def test_the_gates_explain_every_cell_state():
    steps = gate_trace.trace(streaming_model("peephole_lstm"), TOKENS)
    before = np.concatenate([np.zeros((1, 5)), steps.c[:-1]])
    np.testing.assert_allclose(steps.c, steps.f * before + steps.i * steps.g, atol=1e-5)
    np.testing.assert_allclose(steps.h, steps.o * np.tanh(steps.c), atol=1e-5)
    for gate in (steps.i, steps.f, steps.o):
        assert ((gate > 0) & (gate < 1)).all()


def test_a_gru_has_no_cells_to_be_traced():
    with pytest.raises(ValueError, match="no cell state"):
        gate_trace.trace(streaming_model("gru"), TOKENS)


def test_the_tracker_is_the_unit_that_goes_along():
    wanted = np.sin(np.arange(50.0))
    states = np.random.default_rng(0).normal(size=(50, 4))
    states[:, 2] = 3 - 2 * wanted
    unit, correlation = gate_trace.best_tracker(states, wanted)
    assert unit == 2
    assert correlation == pytest.approx(-1)


def test_what_does_not_vary_is_tracked_by_nobody():
    states = np.random.default_rng(0).normal(size=(50, 4))
    states[:, 0] = 1.0
    assert gate_trace.best_tracker(states, np.ones(50)).correlation == 0


def test_properties_of_a_text():
    found = gate_trace.properties('Ab c\n"D e" f')
    assert found["position in the line"].tolist() == [1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7]
    assert found["position in the word"].tolist() == [1, 2, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1]
    assert found["in a word with a capital"].tolist() == [1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert found["inside quotation marks"].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    assert "inside quotation marks" not in gate_trace.properties("no speech")
