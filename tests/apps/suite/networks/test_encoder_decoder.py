"""Training, whole targets and single steps agree; copying, coverage and saved networks work."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import beam_search, encoder_decoder
from apps.suite.networks.config import EncoderDecoderConfig

SIZE, START, END = 9, 2, 1
SOURCE = np.array([[3, 4, 4, 5, 0], [6, 7, 0, 0, 0], [8, 3, 5, 6, 7]], np.int32)
TARGET = np.array([[2, 3, 6, 5], [2, 7, 0, 0], [2, 8, 8, 0]], np.int32)
FOLLOWING = np.array([[3, 6, 5, 1], [7, 1, 0, 0], [8, 8, 1, 0]], np.int32)


def made(copying=True, **options):
    sizes = {"embedding_units": 6, "encoder_units": 4, "units": 5}
    config = EncoderDecoderConfig(**{**sizes, **options})
    network = encoder_decoder.build(config, source_size=SIZE, target_size=SIZE, copying=copying)
    draw = np.random.default_rng(0)
    for weight in network.trainable_weights:
        weight.assign(draw.normal(0, 0.8, weight.shape))
    return network


EVERY = [
    {},
    {"copying": False},
    {"shared_embedding": False, "attention": "additive"},
    {"encoder_layers": 2, "decoder_layers": 2, "copying": False},
    {"attention": "dot", "units": 8},
]


@pytest.mark.parametrize("options", EVERY, ids=str)
def test_steps_give_the_probabilities_of_the_whole_target(options, tmp_path):
    network = made(**options)
    network.save(tmp_path / "model.keras")
    network = keras.models.load_model(tmp_path / "model.keras")
    outputs = network({"source": SOURCE, "target": TARGET})
    whole = encoder_decoder.log_likelihood(outputs, SOURCE, FOLLOWING).numpy()
    decoder = encoder_decoder.Decoder(network)
    memory = decoder.read(tf.constant(SOURCE))
    step, states = decoder.step(memory), [tf.stack([s, s], axis=1) for s in memory.states]
    for place in range(TARGET.shape[1]):
        tokens = np.stack([TARGET[:, place]] * 2, axis=1)
        log_p, states = step(tf.constant(tokens), states)
        np.testing.assert_allclose(np.exp(log_p).sum(axis=2), 1.0, atol=1e-4)
        for beam in range(2):
            found = np.take_along_axis(log_p.numpy()[:, beam], FOLLOWING[:, place, None], 1)[:, 0]
            known = FOLLOWING[:, place] != 0
            np.testing.assert_allclose(found[known], whole[known, place], atol=1e-4)
    assert (whole[FOLLOWING == 0] == 0).all()


def test_padding_of_the_source_and_other_rows_change_nothing():
    network = made()
    outputs = network({"source": SOURCE, "target": TARGET})
    alone = network({"source": SOURCE[1:2, :2], "target": TARGET[1:2, :2]})
    for name in ("logits", "gate"):
        np.testing.assert_allclose(alone[name][0], outputs[name][1, :2], atol=1e-5)
    assert (outputs["attention"].numpy()[1, :, 2:] == 0).all()


def test_a_source_without_a_token_gives_numbers():
    outputs = made()({"source": np.zeros((1, 3), np.int32), "target": TARGET[:1]})
    assert all(np.isfinite(value).all() for value in outputs.values())


def test_coverage_counts_attention_that_returns():
    attention = tf.constant([[[1.0, 0.0], [1.0, 0.0], [0.25, 0.75], [0.0, 1.0]]])
    following = np.array([[3, 4, 5, 0]])
    found = encoder_decoder.coverage({"attention": attention}, following)
    np.testing.assert_allclose(found, [[0.0, 1.0, 0.25, 0.0]])


def test_coverage_enters_the_loss_from_its_step_on():
    losses = []
    for first in (0, 5):
        training = encoder_decoder.TrainingModel(made(), 1.0, first)
        training.compile("sgd")
        given = {"source": SOURCE, "target": TARGET}
        losses.append(float(training.compute_loss(given, FOLLOWING, training(given))))
        plain = -encoder_decoder.log_likelihood(training(given), SOURCE, FOLLOWING)
    mean = float(tf.reduce_sum(plain)) / np.count_nonzero(FOLLOWING)
    assert losses[1] == pytest.approx(mean, rel=1e-5)
    assert losses[0] > losses[1] + 0.01


@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_smoothed_nats_have_value_and_gradient_of_their_equation(scale):
    draw = np.random.default_rng(2)
    logits = tf.constant(draw.normal(0, scale, (3, 4, SIZE)), tf.float32)
    weights = tf.constant(draw.normal(size=(3, 4)), tf.float32)
    found = []
    for fused in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            if fused:
                nats = encoder_decoder.smoothed_nats(logits, FOLLOWING, 0.1)
            else:
                log_p = tf.nn.log_softmax(logits)
                right = tf.gather(log_p, FOLLOWING, batch_dims=2)
                nats = -0.9 * right - 0.1 * tf.reduce_mean(log_p, axis=2)
            total = tf.reduce_sum(weights * nats)
        found.append((nats, tape.gradient(total, logits)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("copying", [False, True])
def test_smoothing_raises_the_loss_of_a_sure_network_by_what_it_spreads(copying):
    training = encoder_decoder.TrainingModel(made(copying), smoothing=0.2)
    given = {"source": SOURCE, "target": TARGET}
    outputs = training(given)
    known = FOLLOWING != 0
    log_p = encoder_decoder.log_likelihood(outputs, SOURCE, FOLLOWING).numpy()[known]
    spread = tf.reduce_mean(tf.nn.log_softmax(outputs["logits"]), axis=2).numpy()[known]
    loss = float(training.compute_loss(given, FOLLOWING, outputs))
    assert loss == pytest.approx(float(np.mean(-0.8 * log_p - 0.2 * spread)), rel=1e-4)


@pytest.mark.slow
def test_copying_is_learned_where_a_vocabulary_cannot_help():
    """Tokens are drawn anew in every row: only the source tells which ones are to be written."""
    draw = np.random.default_rng(0)
    size = 60

    def batch(rows):
        source = draw.integers(3, size, (rows, 3)).astype("int32")
        start = np.full((rows, 1), START, np.int32)
        following = np.concatenate([source, np.full((rows, 1), END, np.int32)], axis=1)
        return {"source": source, "target": np.concatenate([start, source], axis=1)}, following

    keras.utils.set_random_seed(0)
    config = EncoderDecoderConfig(embedding_units=16, encoder_units=16, units=32, dropout=0.0)
    network = encoder_decoder.build(config, source_size=size, target_size=size, copying=True)
    training = encoder_decoder.TrainingModel(network)
    training.compile(keras.optimizers.Adam(0.01))
    given, following = batch(1024)
    training.fit(given, following, batch_size=32, epochs=8, verbose=0)
    asked, expected = batch(64)
    decoder = encoder_decoder.Decoder(network)
    memory = decoder.read(tf.constant(asked["source"]))
    found = beam_search.search(
        decoder.step(memory), memory.states, start=START, end=END, width=2, longest=5
    )
    assert (found.tokens[:, 0, :3].numpy() == expected[:, :3]).mean() > 0.9


def test_tokens_of_unequal_number_are_neither_shared_nor_copied():
    for options in ({"copying": True}, {"copying": False}):
        config = EncoderDecoderConfig(shared_embedding=not options["copying"])
        with pytest.raises(ValueError, match="share their tokens"):
            encoder_decoder.build(config, source_size=5, target_size=6, **options)
