"""The equations of the compiled GRU; the loops around them are tested in `test_xla`."""

import pytest

from lstm_layers.recurrences.gru_step import Options
from tests.lstm_layers.recurrences.beside_the_recurrence import assert_same, results
from tests.lstm_layers.recurrences.gru_beside_the_recurrence import arrays, compiled, recurrence

variants = pytest.mark.parametrize("reset_after", [True, False])


@variants
@pytest.mark.parametrize("use_bias", [True, False])
def test_outputs_and_gradients_with_and_without_biases(reset_after, use_bias):
    given = arrays("float64", reset_after, use_bias)
    options = Options(reset_after=reset_after)
    expected = results(recurrence(options=options), given)
    assert len(expected) == 6 + use_bias * (1 + reset_after)
    assert_same(results(compiled(options=options), given), expected, 1e-11)


@variants
def test_other_activations(reset_after):
    given = arrays("float64", reset_after)
    options = Options("softsign", "hard_sigmoid", reset_after)
    expected = results(recurrence(options=options), given)
    assert_same(results(compiled(options=options), given), expected, 1e-11)


def test_where_the_reset_gate_acts_makes_a_difference():
    """A check of the checks."""
    given = arrays("float64", use_bias=False)
    after, before = (
        results(compiled(options=Options(reset_after=each)), given) for each in (True, False)
    )
    assert abs(after["last h"] - before["last h"]).numpy().max() > 1e-2
