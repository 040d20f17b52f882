"""Tokens are drawn from the distribution that was asked for, the same ones for the same seed."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import sampling
from apps.text_generation import model
from tests.apps.text_generation import small_run

ROWS = 200
DEFAULTS = {"length": 12, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 3}


@pytest.fixture(scope="module")
def trained():
    return small_run.trained()


def draw(logits, uniform, temperature=1.0, top_k=0, top_p=1.0):
    rows = len(logits)
    values = (uniform, temperature, top_k, top_p)
    kinds = (np.float32, np.float32, np.int32, np.float32)
    broadcast = [np.broadcast_to(np.array(v, k), rows) for v, k in zip(values, kinds, strict=True)]
    return sampling.next_token(tf.constant(logits, tf.float32), *broadcast).numpy()


def draw_by_hand(logits, uniform, temperature, top_k, top_p):
    """One row in float64, by walking along the sorted tokens."""
    order = sorted(range(1, len(logits)), key=lambda token: (-logits[token], token))
    if temperature == 0:
        return order[0]
    order = order[: top_k or None]
    weights = np.exp((logits[order].astype(np.float64) - logits[order[0]]) / temperature)
    weights /= weights.sum()
    kept, held = [], 0.0
    for token, weight in zip(order, weights, strict=True):
        if kept and held >= top_p:
            break
        kept.append((token, weight))
        held += weight
    reached = 0.0
    for token, weight in kept:
        reached += weight / held
        if uniform < reached:
            return token
    return kept[-1][0]


def some_logits(rows=ROWS, tokens=17):
    return np.random.default_rng(1).normal(0, 2, (rows, tokens)).astype(np.float32)


def test_filters_and_temperature_follow_their_definitions():
    draws = np.random.default_rng(2)
    options = {
        "uniform": draws.random(ROWS, np.float32),
        "temperature": draws.choice([0.0, 0.3, 1.0, 2.5], ROWS).astype(np.float32),
        "top_k": draws.choice([0, 1, 3, 16, 40], ROWS).astype(np.int32),
        "top_p": draws.choice([0.05, 0.5, 0.9, 1.0], ROWS).astype(np.float32),
    }
    logits = some_logits()
    by_hand = [
        draw_by_hand(row, *(values[index] for values in options.values()))
        for index, row in enumerate(logits)
    ]
    np.testing.assert_array_equal(draw(logits, **options), by_hand)
    assert len(set(by_hand)) > 10


def test_temperature_0_takes_the_most_probable_token_and_of_equal_ones_the_first():
    logits = some_logits()
    logits[0] = 1.0
    greedy = draw(logits, 0.999, temperature=0.0)
    np.testing.assert_array_equal(greedy, 1 + logits[:, 1:].argmax(axis=1))
    assert greedy[0] == 1
    for options in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-30}):
        np.testing.assert_array_equal(draw(logits[1:], 0.999, **options), greedy[1:])


def test_the_unknown_is_never_drawn():
    logits = np.array([[50.0, 0.0, 0.0], [0.0, -1e30, -np.inf]], np.float32)
    for uniform in (0.0, 0.5, np.nextafter(np.float32(1), np.float32(0))):
        assert draw(logits, uniform).min() > 0


def test_the_largest_uniform_number_stays_within_what_is_kept():
    logits = some_logits()
    last = np.nextafter(np.float32(1), np.float32(0))
    rank = (-logits[:, 1:]).argsort(axis=1, kind="stable") + 1
    np.testing.assert_array_equal(draw(logits, last, top_k=4), rank[:, 3])


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, 0), (0.6, 0), (1.7, 3)])
def test_frequencies_are_the_probabilities(temperature, top_k):
    logits = np.array([9.0, 0.3, -0.5, 1.2, 0.0, -1.0])
    uniform = sampling.uniform_draws(tf.range(80, dtype=tf.int64), 256).numpy().reshape(-1)
    drawn = draw(np.tile(logits, (len(uniform), 1)), uniform, temperature, top_k)
    weights = np.exp(logits[1:] / temperature)
    if top_k:
        weights[weights < np.sort(weights)[-top_k]] = 0
    expected = len(uniform) * weights / weights.sum()
    counts = np.bincount(drawn, minlength=6)[1:]
    assert not counts[expected == 0].any()
    chi_square = ((counts - expected) ** 2 / np.maximum(expected, 1e-9)).sum()
    assert chi_square < 18.5  # 99.9 % of draws with 4 degrees of freedom; fewer have less


def test_a_uniform_number_depends_on_its_seed_and_its_index_alone():
    seeds = tf.constant([5, -7, 2**62], tf.int64)
    numbers = sampling.uniform_draws(seeds, 600).numpy()
    assert numbers.shape == (3, 600)
    assert 0 <= numbers.min() < 0.01
    assert 0.99 < numbers.max() < 1
    assert len(np.unique(numbers)) > 1790  # of 1800: 24 bits meet now and then
    np.testing.assert_array_equal(
        sampling.uniform_draws(seeds[1:2], 300).numpy()[0], numbers[1, :300]
    )
    assert sampling.uniform_draws(seeds, 0).shape == (3, 0)


def prompts(trained, *texts):
    return trained.tokenizer.graph_encode(tf.constant(texts))


in_graph = tf.function(
    functools.partial(sampling.generate, step=model.step), autograph=False, reduce_retracing=True
)


def generate(trained, texts, **options):
    options = {**DEFAULTS, **options}
    seed = tf.constant(options.pop("seed"), tf.int64)
    start = sampling.start_tokens(trained.tokenizer)
    made = in_graph(
        trained.streaming,
        prompts(trained, *texts),
        tf.constant(start),
        **{name: tf.constant(value) for name, value in options.items()},
        seed=seed,
    )
    return made.to_list()


def test_a_row_does_not_depend_on_the_other_rows(trained):
    texts = ["In the ", "G", "", "Let there be light"]
    options = {
        "length": [12, 3, 7, 0],
        "temperature": [1.0, 0.0, 0.7, 1.0],
        "top_k": [0, 0, 5, 0],
        "top_p": [1.0, 1.0, 1.0, 0.8],
        "seed": [1, 2, 3, 4],
    }
    together = generate(trained, texts, **options)
    alone = [
        generate(trained, [text], **{name: values[row] for name, values in options.items()})[0]
        for row, text in enumerate(texts)
    ]
    assert together == alone
    assert [len(row) for row in together] == options["length"]


def test_rows_of_one_seed_and_prompt_are_the_same_text_and_of_two_seeds_are_not(trained):
    first, same, other = generate(trained, ["God"] * 3, length=30, seed=[1, 1, 2])
    assert first == same != other


def test_a_longer_text_begins_with_the_shorter_one(trained):
    assert (
        generate(trained, ["God"], length=300)[0][:20] == generate(trained, ["God"], length=20)[0]
    )


def test_an_empty_prompt_is_continued_as_a_line_feed_is(trained):
    assert generate(trained, [""]) == generate(trained, ["\n"])


def test_without_a_line_feed_an_empty_prompt_is_continued_as_id_1_is():
    class NoLineFeed:
        @staticmethod
        def encode(text):
            return np.zeros(len(text), np.int32)

    assert sampling.start_tokens(NoLineFeed()).tolist() == [1]


def test_greedy_text_is_the_most_probable_one_of_the_whole_model_at_each_step(trained):
    ids = trained.tokenizer.encode("In the ").tolist()
    written = list(ids)
    for _ in range(12):
        states = sampling.initial_states(trained.streaming, 1)
        logits = trained.streaming([tf.constant([written]), *states])[0].numpy()[0, -1]
        written.append(1 + int(logits[1:].argmax()))
    assert generate(trained, ["In the "], temperature=0.0) == [written[len(ids) :]]


@pytest.mark.parametrize("count", [0, 1, 6, sampling.WINDOW_TOKENS, sampling.WINDOW_TOKENS + 3])
def test_reading_a_prompt_is_reading_its_tokens_one_by_one(trained, count):
    tokens = tf.constant(np.arange(2 * count).reshape(2, count) % 20 + 1, tf.int32)
    before = sampling.initial_states(trained.streaming, 2)
    after = tf.function(sampling.read, autograph=False)(trained.streaming, tokens, before)
    expected = before
    for token in tf.unstack(tokens, axis=1):
        expected = model.step(trained.streaming, token, expected)[1]
    for one, other in zip(after, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("length", -1),
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("top_k", -1),
        ("top_p", 0.0),
        ("top_p", 1.1),
    ],
)
def test_options_out_of_range_are_refused_by_the_graph_itself(trained, option, value):
    with pytest.raises(tf.errors.InvalidArgumentError, match=option):
        generate(trained, ["God"], **{option: value})
