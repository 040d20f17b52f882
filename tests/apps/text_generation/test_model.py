"""The model that learns, the one that is served and its single steps are one and the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import sampling
from apps.text_generation import model
from tests.apps.text_generation import small_run

SIZE = 9
REGULARISED = ("dropout", "embedding_dropout", "weight_dropout")
sizes_of_each_kind = pytest.mark.parametrize(
    "sizes",
    [
        {"layer": "peephole_lstm"},
        {"layer": "lstm", "layer_count": 1},
        {"layer": "gru", "layer_count": 3},
        {"tie_embeddings": True, "units": 7},
        {"tie_embeddings": True, "units": 11},
    ],
)


def some_tokens(rows, time):
    return tf.constant(np.random.default_rng(0).integers(0, SIZE, (rows, time)), tf.int32)


def built(**sizes):
    off = dict.fromkeys(REGULARISED, 0.0)
    precision = sizes.pop("policy", "float32")
    made = model.build_streaming(small_run.config(**{**off, **sizes}), SIZE, precision)
    small_run.spread_weights(made)
    return made


def logits_of(streaming, tokens, training=False):
    logits, *_ = streaming(
        [tokens, *sampling.initial_states(streaming, tokens.shape[0])], training=training
    )
    return logits


@sizes_of_each_kind
def test_the_streaming_model_takes_the_weights_of_the_trained_one(sizes):
    trained = model.build(small_run.config(batch_size=3, **sizes), SIZE)
    small_run.spread_weights(trained)
    streaming = model.build_streaming(small_run.config(**sizes), SIZE)
    model.copy_weights(trained, streaming)
    tokens = some_tokens(3, 11)
    logits = logits_of(streaming, tokens)
    np.testing.assert_allclose(logits, trained(tokens)[0], atol=1e-5)
    assert np.std(logits) > 0.1


@sizes_of_each_kind
def test_a_step_is_a_call_for_one_token(sizes):
    streaming = built(**sizes)
    tokens, states = some_tokens(3, 6), sampling.initial_states(streaming, 3)
    whole, *last = streaming([tokens, *states])
    for position in range(6):
        logits, states = model.step(streaming, tokens[:, position], states)
        np.testing.assert_allclose(logits, whole[:, position], atol=1e-5)
    assert len(states) == len(last)
    for state, expected in zip(states, last, strict=True):
        np.testing.assert_allclose(state, expected, atol=1e-5)


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("kind", REGULARISED)
def test_each_kind_of_dropout_acts_in_training_and_in_training_alone(kind, variational):
    keras.utils.set_random_seed(0)
    regularised, plain = built(**{kind: 0.5}, variational=variational), built()
    tokens = some_tokens(2, 8)
    first, second = (logits_of(regularised, tokens, training=True).numpy() for _ in range(2))
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(logits_of(regularised, tokens), logits_of(plain, tokens))


@pytest.mark.parametrize("place", ["embedding_dropout", "dropout_0"])
@pytest.mark.parametrize("variational", [False, True])
def test_variational_dropout_keeps_its_mask_for_a_whole_window(place, variational):
    keras.utils.set_random_seed(0)
    made = built(dropout=0.5, embedding_dropout=0.5, variational=variational)
    values = keras.Model(made.inputs, made.get_layer(place).output)
    inputs = [some_tokens(4, 10), *sampling.initial_states(made, 4)]
    is_dropped = values(inputs, training=True).numpy() == 0
    assert 0.3 < is_dropped.mean() < 0.7
    same = (is_dropped == is_dropped[:, :1]).all()
    assert same == variational
    assert not (is_dropped == is_dropped[:1]).all()  # rows have masks of their own


def test_weight_dropout_acts_on_what_is_fed_back_and_on_nothing_else():
    made = built(weight_dropout=0.5)
    tokens = some_tokens(3, 2)
    difference = logits_of(made, tokens, training=True) - logits_of(made, tokens)
    difference = np.abs(difference).max(axis=(0, 2))
    assert difference[0] == 0  # nothing is fed back to the first step
    assert difference[1] > 0.01


def test_training_may_be_in_16_bits_and_serving_is_in_32():
    config = small_run.config(precision="mixed_bfloat16")
    trained, streaming = model.build(config, SIZE), model.build_streaming(config, SIZE)
    assert trained.streaming.get_layer("recurrent_0").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in trained.weights} == {"float32"}
    assert {layer.compute_dtype for layer in streaming.layers} == {"float32"}
    small_run.spread_weights(trained)
    model.copy_weights(trained, streaming)
    tokens = some_tokens(2, 5)
    np.testing.assert_allclose(trained(tokens)[0], logits_of(streaming, tokens), atol=0.3)


def test_tied_embeddings_are_one_matrix():
    tied, untied = built(tie_embeddings=True, units=7), built(units=7)
    assert untied.count_params() - tied.count_params() == 7 * SIZE + SIZE  # the bias too
    names = [weight.path for weight in tied.trainable_weights]
    assert not [name for name in names if "logits" in name]
