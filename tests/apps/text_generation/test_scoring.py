"""Every token is scored once, with all that came before it as its context."""

import itertools

import keras
import numpy as np
import pytest

from apps.suite.texts import tokenizer
from apps.text_generation import config as configs
from apps.text_generation import model, scoring

VOCABULARY_SIZE = 11
TEXT = "In the béginning, the end.\nDon't naïve ☃ 😀!\n\n2 words"


def streaming_model(layer="peephole_lstm", layer_count=1):
    sizes = configs.ModelConfig(
        layer=layer, layer_count=layer_count, units=6, embedding_units=5, dropout=0.5
    )
    made = model.build_streaming(configs.Config(model=sizes), VOCABULARY_SIZE)
    draw = np.random.default_rng(2)
    for weight in made.trainable_weights:  # far from zero, so that the context matters
        weight.assign(draw.normal(0, 0.8, weight.shape))
    return made


def some_tokens(count):
    return np.random.default_rng(0).integers(0, VOCABULARY_SIZE, count).astype(np.int32)


def nats_by_hand(streaming, tokens):
    """The peephole LSTM in float64, step by step, after its equations."""
    embedding, w, r, b, p_i, p_f, p_o, v, d = (
        weight.numpy().astype(np.float64) for weight in streaming.weights
    )

    def sigmoid(values):
        return 1 / (1 + np.exp(-values))

    h = c = np.zeros(len(p_i))
    nats = []
    for now, following in itertools.pairwise(tokens):
        z_i, z_f, z_g, z_o = np.split(embedding[now] @ w + h @ r + b, 4)
        i, f = sigmoid(z_i + p_i * c), sigmoid(z_f + p_f * c)
        c = f * c + i * np.tanh(z_g)
        h = sigmoid(z_o + p_o * c) * np.tanh(c)
        logits = h @ v + d
        nats.append(np.log(np.exp(logits).sum()) - logits[following])
    return np.array(nats)


@pytest.mark.parametrize("window_tokens", [1, 7, 1000])
def test_one_row_is_exact_in_windows_of_any_size(window_tokens):
    streaming, tokens = streaming_model(), some_tokens(100)
    scored = scoring.token_nats(streaming, tokens, 1, window_tokens)
    np.testing.assert_allclose(scored, nats_by_hand(streaming, tokens), atol=1e-5)


@pytest.mark.parametrize(("layer", "layer_count"), [("gru", 1), ("lstm", 2)])
def test_windows_change_nothing_for_other_layers(layer, layer_count):
    streaming, tokens = streaming_model(layer, layer_count), some_tokens(60)
    whole = scoring.token_nats(streaming, tokens, 1, 1000)
    np.testing.assert_allclose(scoring.token_nats(streaming, tokens, 1, 7), whole, atol=1e-5)


@pytest.mark.parametrize("count", [2, 3, 99, 101])
@pytest.mark.parametrize("warm_up_tokens", [0, 8])
def test_every_token_but_the_first_is_scored_once_in_many_rows(count, warm_up_tokens):
    # The score of a token given the one before it, without memory, tells which token it is of.
    streaming, tokens = streaming_model(), some_tokens(count)
    _forget(streaming)
    scored = scoring.token_nats(streaming, tokens, 4, 5, warm_up_tokens)
    assert scored.shape == (count - 1,)
    np.testing.assert_allclose(scored, nats_by_hand(streaming, tokens), atol=1e-5)


def _forget(streaming):
    """Cuts what a step hands on: the recurrent products, the peepholes and the forget gate."""
    _, _, recurrent, bias, *peepholes, _, _ = streaming.weights
    for weight in (recurrent, *peepholes):
        weight.assign(np.zeros(weight.shape))
    values = bias.numpy()
    values[6:12] = -100
    bias.assign(values)


def test_a_warm_up_brings_rows_close_to_one_reader_and_none_does_not():
    streaming, tokens = streaming_model(), some_tokens(400)
    exact = scoring.token_nats(streaming, tokens, 1, 50)
    warm = scoring.token_nats(streaming, tokens, 4, 50, warm_up_tokens=60)
    cold = scoring.token_nats(streaming, tokens, 4, 50, warm_up_tokens=0)
    np.testing.assert_allclose(warm, exact, atol=1e-3)
    assert np.abs(cold - exact).max() > 0.01
    np.testing.assert_allclose(warm[:100], exact[:100], atol=1e-5)  # the first row starts as it


def test_a_text_too_short_for_warmed_rows_is_read_in_fewer():
    streaming, tokens = streaming_model(), some_tokens(50)
    exact = scoring.token_nats(streaming, tokens, 1)
    np.testing.assert_allclose(scoring.token_nats(streaming, tokens, 16), exact, atol=1e-5)


def test_the_mean_is_that_of_the_tokens():
    streaming, tokens = streaming_model(), some_tokens(90)
    mean = scoring.nats_per_token(streaming, tokens, batch_size=1)
    assert mean == pytest.approx(nats_by_hand(streaming, tokens).mean(), abs=1e-5)


def test_one_token_has_no_score():
    with pytest.raises(ValueError, match="at least 2 tokens"):
        scoring.token_nats(streaming_model(), some_tokens(1))


def test_repeated_validations_use_the_weights_of_the_moment():
    streaming, tokens = streaming_model(), some_tokens(30)
    before = scoring.nats_per_token(streaming, tokens)
    for weight in streaming.trainable_weights:
        weight.assign(keras.ops.zeros_like(weight))
    after = scoring.nats_per_token(streaming, tokens)
    assert after == pytest.approx(np.log(VOCABULARY_SIZE), abs=1e-5)
    assert before != pytest.approx(after)


@pytest.mark.parametrize("kind", tokenizer.KINDS)
@pytest.mark.parametrize("text", [TEXT, TEXT.upper() + "Ωμέγα unseen words"])
def test_the_characters_of_the_tokens_add_up_to_the_text(kind, text):
    learned = tokenizer.learn(kind, 60, TEXT * 3)
    counts = scoring.character_counts(text, learned)
    ids = learned.encode(text)
    assert len(counts) == len(ids)
    assert counts.sum() == len(text)
    ends = np.cumsum(counts)
    if kind != "byte":
        for token, end, count in zip(ids, ends, counts, strict=True):
            if token:
                assert learned.vocabulary[token] == text[end - count : end]


def test_the_bytes_of_a_character_count_as_one():
    counts = scoring.character_counts("é😀x", tokenizer.learn("byte", 0, ""))
    assert counts.tolist() == [1, 0, 1, 0, 0, 0, 1]
