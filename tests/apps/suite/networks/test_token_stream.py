"""The text that is printed as it comes is the text that the served graph gives."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import sampling
from apps.suite.texts import tokenizer as vocabulary
from apps.text_generation import model
from tests.apps.text_generation import small_run

in_graph = tf.function(
    functools.partial(sampling.generate, step=model.step), autograph=False, reduce_retracing=True
)


@pytest.fixture(scope="module")
def trained():
    return small_run.trained()


def streamed(trained, prompt, **options):
    blocks = sampling.stream(
        trained.streaming, trained.tokenizer.encode(prompt), **options, step=model.step
    )
    return [token for block in blocks for token in block.tolist()]


@pytest.mark.parametrize("length", [0, 1, 16, 50])
def test_the_tokens_are_those_of_the_loop_in_the_graph(trained, length):
    options = {"temperature": 0.9, "top_k": 9, "top_p": 0.95, "seed": -5}
    together = in_graph(
        trained.streaming,
        trained.tokenizer.graph_encode(tf.constant(["In the "])),
        tf.constant(sampling.start_tokens(trained.tokenizer)),
        tf.constant(length),
        *(tf.constant(options[name]) for name in ("temperature", "top_k", "top_p")),
        tf.constant(options["seed"], tf.int64),
    )
    assert streamed(trained, "In the ", length=length, **options) == together.to_list()[0]


def test_a_penalty_makes_seen_tokens_rarer(trained):
    plain = streamed(trained, "God", length=40, temperature=0.5)
    penalised = streamed(trained, "God", length=40, temperature=0.5, repetition_penalty=3.0)
    assert len(set(penalised)) > len(set(plain))


def test_seen_tokens_lose_whatever_the_sign_of_their_logits():
    logits = tf.constant([[2.0, -2.0, 2.0, -2.0]])
    seen = tf.constant([[True, True, False, False]])
    np.testing.assert_array_equal(
        sampling.penalised(logits, seen, tf.constant(4.0)), [[0.5, -8.0, 2.0, -2.0]]
    )
    np.testing.assert_array_equal(sampling.penalised(logits, seen, tf.constant(1.0)), logits)


def test_tokens_of_the_prompt_and_drawn_ones_count_as_seen(trained):
    written = trained.tokenizer.encode("God").tolist()
    for _ in range(20):
        states = sampling.initial_states(trained.streaming, 1)
        logits = trained.streaming([tf.constant([written]), *states])[0].numpy()[0, -1]
        for token in set(written):
            logits[token] = logits[token] / 1.5 if logits[token] > 0 else logits[token] * 1.5
        written.append(1 + int(logits[1:].argmax()))
    options = {"length": 20, "temperature": 0.0, "repetition_penalty": 1.5}
    assert streamed(trained, "God", **options) == written[3:]


@pytest.mark.parametrize("block", [1, 2, 5])
def test_text_in_pieces_is_the_text_as_a_whole_even_where_a_block_cuts_a_character(block):
    tokenizer = vocabulary.learn("byte", 256, "")
    ids = np.frombuffer("aé☃😀b".encode() + b"\xf0\x9f\x98\xe2\x82\xac" + b"\xe2\x82", np.uint8)
    blocks = [ids[at : at + block].astype(np.int32) for at in range(0, len(ids), block)]
    pieces = list(sampling.texts(blocks, tokenizer))
    assert "".join(pieces) == tokenizer.decode(ids)
    assert "".join(pieces).startswith("aé☃😀b")
    assert len(pieces) > 1
