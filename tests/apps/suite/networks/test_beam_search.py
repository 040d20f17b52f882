"""The beam finds what enumeration finds, and what greedy finds where it is one candidate wide."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import beam_search, sampling
from apps.text_generation import model
from tests.apps.text_generation import small_run


@pytest.fixture(scope="module")
def streaming():
    made = model.build_streaming(small_run.config(layer="gru"), 5)
    small_run.spread_weights(made)
    return made


def nats(streaming, prompt, continuations):
    """-ln p of each continuation, the unknown left out, by one call of the whole model."""
    ids = np.array(continuations, np.int32)
    tokens = np.concatenate([np.tile(np.array(prompt, np.int32), (len(ids), 1)), ids], axis=1)
    states = sampling.initial_states(streaming, len(ids))
    logits, *_ = streaming([tf.constant(tokens[:, :-1]), *states])
    logs = tf.nn.log_softmax(logits[:, len(prompt) - 1 :, 1:]).numpy()
    return -np.take_along_axis(logs, ids[:, :, None] - 1, axis=2).sum(axis=(1, 2))


@pytest.mark.parametrize("prompt", [[1], [2, 3, 1], [4, 0]])
def test_a_beam_as_wide_as_all_beginnings_finds_the_best_of_all(streaming, prompt):
    every = list(itertools.product(range(1, 5), repeat=4))
    scores = nats(streaming, prompt, every)
    ids, score = beam_search.search(
        streaming, np.array(prompt), length=4, width=64, step=model.step
    )
    assert tuple(ids) == every[scores.argmin()]
    assert score == pytest.approx(-scores.min(), abs=1e-4)


def test_one_candidate_is_greedy_and_more_are_no_worse(streaming):
    greedy = sampling.stream(streaming, np.array([1]), length=20, temperature=0.0, step=model.step)
    narrow, narrow_score = beam_search.search(streaming, np.array([1]), 20, 1, step=model.step)
    assert narrow.tolist() == np.concatenate(list(greedy)).tolist()
    wide, wide_score = beam_search.search(streaming, np.array([1]), 20, 8, step=model.step)
    assert wide_score >= narrow_score
    assert wide_score == pytest.approx(-nats(streaming, [1], [wide])[0], abs=1e-4)


def test_a_penalty_counts_what_each_candidate_has_written(streaming):
    penalty = {"repetition_penalty": 2.0}
    plain, _ = beam_search.search(streaming, np.array([1]), 20, 1, step=model.step)
    narrow, _ = beam_search.search(streaming, np.array([1]), 20, 1, **penalty, step=model.step)
    drawn = sampling.stream(
        streaming, np.array([1]), length=20, temperature=0.0, **penalty, step=model.step
    )
    assert narrow.tolist() == np.concatenate(list(drawn)).tolist() != plain.tolist()


def test_nothing_is_asked_for(streaming):
    ids, score = beam_search.search(streaming, np.array([1]), 0, 3, step=model.step)
    assert (len(ids), score) == (0, 0.0)
