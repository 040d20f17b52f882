"""The equations of the compiled LSTM; the loops around them are tested in `test_xla`."""

import pytest

from lstm_layers.recurrences.lstm_step import Options
from tests.lstm_layers.recurrences.beside_the_recurrence import assert_same, results
from tests.lstm_layers.recurrences.lstm_beside_the_recurrence import arrays, compiled, recurrence


@pytest.mark.parametrize("peepholes", ["", "f", "io"])
def test_outputs_and_gradients_with_and_without_each_peephole(peepholes):
    given = arrays("float64", peepholes)
    assert_same(results(compiled(), given), results(recurrence(), given), 1e-11)


def test_peepholes_without_a_bias():
    given = arrays("float64", "io", use_bias=False)
    assert_same(results(compiled(), given), results(recurrence(), given), 1e-11)


def test_other_activations():
    given = arrays("float64")
    options = Options("softsign", "hard_sigmoid")
    expected = results(recurrence(options=options), given)
    assert_same(results(compiled(options=options), given), expected, 1e-11)
