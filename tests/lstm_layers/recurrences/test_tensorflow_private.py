import pytest
import tensorflow as tf

from lstm_layers.recurrences import tensorflow_private


def test_tensorflow_still_hides_them():
    """Fails on the day the private imports of `tensorflow_private.py` can be replaced."""
    modules = (tf, tf.autodiff, tf.autograph, tf.compat.v1, tf.config, tf.experimental)
    names = ("stop_recording", "GraphOrParentsInXlaContext", "in_xla_context")
    public = [
        f"{module.__name__}.{name}" for module in modules for name in names if hasattr(module, name)
    ]
    assert not public, f"use {public[0]} instead of what lstm_layers/tensorflow_private.py imports"


def _gradient(block):
    x = tf.constant(3.0)
    with tf.GradientTape() as outer, tf.GradientTape() as inner:
        for tape in (outer, inner):
            tape.watch(x)
        with block():
            square = x * x
        total = square + x
    return [tape.gradient(total, x).numpy() for tape in (outer, inner)]


def test_no_tape_records_while_it_runs_and_every_tape_does_after():
    assert _gradient(tensorflow_private.not_recorded) == [1.0, 1.0]


def test_it_takes_no_effect_on_an_error_beyond_its_block():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(KeyError), tensorflow_private.not_recorded():
            raise KeyError
        square = x * x
    assert tape.gradient(square, x).numpy() == 6.0


def _compiled_loop():
    @tf.function(jit_compile=True)
    def doubled(x, times):
        return tf.while_loop(lambda n, _: n < times, lambda n, x: (n + 1, 2.0 * x), (0, x))[1]

    return doubled


def test_a_compiled_loop_cannot_be_called_under_a_tape_without_it():
    """What it is for; without this failure it could go."""
    x, times = tf.constant(3.0), tf.constant(2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(tf.errors.InvalidArgumentError):
            _compiled_loop()(x, times)
        with tensorflow_private.not_recorded():
            assert _compiled_loop()(x, times).numpy() == 12.0


def _traced(jit_compile, within=lambda seen: seen()):
    seen = []

    @tf.function(jit_compile=jit_compile)
    def run():
        within(lambda: seen.append(tensorflow_private.compiled_by_xla()))

    run.get_concrete_function()
    return seen


def test_a_graph_that_xla_compiles_is_told_from_another_one():
    assert not tensorflow_private.compiled_by_xla()
    assert _traced(jit_compile=None) == [False]
    assert _traced(jit_compile=True) == [True]
    assert not tensorflow_private.compiled_by_xla()


def test_a_function_within_a_graph_that_xla_compiles_is_one_too():
    def call(seen):
        tf.function(seen)()

    assert _traced(jit_compile=True, within=call) == [True]
    assert _traced(jit_compile=None, within=call) == [False]
