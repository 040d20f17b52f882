import numpy as np
import pytest

from lstm_layers.weights import gate_weights


@pytest.mark.parametrize(("given", "wanted"), [("ifgo", "igfo"), ("iofg", "ifgo"), ("rzn", "zrn")])
def test_the_block_of_each_gate_goes_where_its_letter_goes(given, wanted):
    units = 2
    number = {gate: 10.0 * position for position, gate in enumerate("ifgozrn")}
    array = np.concatenate([number[gate] + np.arange(units) for gate in given])
    expected = np.concatenate([number[gate] + np.arange(units) for gate in wanted])
    np.testing.assert_array_equal(gate_weights.reordered(array, given, wanted), expected)
    rows = np.stack([array, -array], axis=1)
    np.testing.assert_array_equal(
        gate_weights.reordered(rows, given, wanted, axis=0), np.stack([expected, -expected], axis=1)
    )


def test_there_and_back_is_exact_in_every_order():
    array = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    for order in ("ifgo", "igfo", "iofg"):
        there = gate_weights.reordered(array, "ifgo", order)
        np.testing.assert_array_equal(gate_weights.reordered(there, order, "ifgo"), array)


def test_a_size_that_the_gates_cannot_share_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 9\) does not hold 4 gates along axis -1"):
        gate_weights.reordered(np.zeros((2, 9)), "ifgo", "iofg")


def test_a_missing_name_is_told_with_those_there_are():
    with pytest.raises(ValueError, match="no 'kernel' among bias, kernels"):
        gate_weights.named({"kernels": 1, "bias": 2}, "kernel")


def test_peepholes_by_gate():
    kernel, vector = np.zeros((2, 12)), np.ones(3)
    weights = gate_weights.LSTMWeights(
        kernel, np.zeros((3, 12)), None, None, 2 * vector, 3 * vector
    )
    assert weights.units == 3
    assert {gate: weight[0] for gate, weight in weights.peepholes.items()} == {"f": 2.0, "o": 3.0}
    assert weights.has_peepholes
    assert not weights._replace(forget_peephole=0 * vector, output_peephole=None).has_peepholes
