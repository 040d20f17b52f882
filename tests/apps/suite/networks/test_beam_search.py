"""The beam finds what enumeration finds, and what greedy finds where it is one candidate wide."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from apps.suite.networks import beam_search, sampling
from apps.text_generation import model
from tests.apps.text_generation import small_run

PAD, END, START, TOKENS = 0, 1, 2, 7
PLACES = 11
FORBIDDEN = (PAD, START)


@pytest.fixture(scope="module")
def table():
    """ln p of the next token by kind of row, and a number that what was read so far gives."""
    logits = np.random.default_rng(0).normal(scale=1.5, size=(4, PLACES, TOKENS))
    logits[..., END] -= 0.5
    return np.asarray(tf.nn.log_softmax(logits.astype("float32")))


def place_after(place, token):
    return (3 * place + 5 * token + 1) % PLACES


def stepping(table):
    """The step of a model whose answers are looked up, equal to the last bit in any batch."""

    def step(tokens, states):
        kind, place = states
        place = place_after(place, tokens[..., None])
        return tf.gather_nd(tf.constant(table), tf.concat([kind, place], axis=2)), [kind, place]

    return step


def found(table, kinds=(0, 1, 2, 3), **options):
    options = {"width": 4, "longest": 6, "forbidden": FORBIDDEN, **options}
    states = [tf.constant(kinds)[:, None], tf.zeros((len(kinds), 1), tf.int32)]
    search = tf.function(beam_search.search, autograph=False)
    answer = search(stepping(table), states, start=START, end=END, **options)
    return beam_search.Found(*(each.numpy() for each in answer))


def words(answer, row):
    """The sequences of a row as tuples, and their scores, without places that are not taken."""
    return [
        (tuple(answer.tokens[row, beam, : answer.lengths[row, beam]].tolist()), score)
        for beam, score in enumerate(answer.scores[row])
        if np.isfinite(score)
    ]


def log_p_of(table, kind, tokens):
    place, total = place_after(0, START), np.float32(0)
    for token in (*tokens, END):
        total += table[kind, place, token]
        place = place_after(place, token)
    return total


def penalty(tokens, alpha):
    return ((5.0 + len(tokens) + 1) / 6.0) ** alpha


def repeats(tokens, count):
    grams = [tokens[n : n + count] for n in range(len(tokens) - count + 1)]
    return len(set(grams)) < len(grams)


def searched_by_hand(table, kind, width, longest, shortest, alpha, repeated):
    """The same search with lists: it keeps on to the longest length, whatever is finished."""
    alive, finished = [((), np.float32(0))], []
    for number in range(longest + 1):
        candidates = []
        for rank, (tokens, log_p) in enumerate(alive):
            place = place_after(0, START)
            for token in tokens:
                place = place_after(place, token)
            for token in range(TOKENS):
                if token in FORBIDDEN or (token == END and number < shortest):
                    continue
                if token != END and (
                    number == longest or (repeated and repeats((*tokens, token), repeated))
                ):
                    continue
                total = log_p + table[kind, place, token]
                candidates.append((-total, rank * TOKENS + token, tokens, token))
        candidates = sorted(candidates)[: 2 * width]
        for negated, _, tokens, token in candidates[:width]:
            if token == END:
                finished.append((tokens, -negated / penalty(tokens, alpha)))
        alive = [((*t, token), -n) for n, _, t, token in candidates if token != END][:width]
        finished = sorted(finished, key=lambda pair: -pair[1])[:width]
        if width == 1 and finished:
            break
    return finished


def assert_equal(answer, row, expected):
    assert [tokens for tokens, _ in words(answer, row)] == [tokens for tokens, _ in expected]
    scores = [score for _, score in words(answer, row)]
    np.testing.assert_allclose(scores, [score for _, score in expected], rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_a_beam_as_wide_as_all_beginnings_orders_all_sequences(table, alpha):
    forbidden = (PAD, START, 5, 6)  # leaves two tokens
    answer = found(table, width=16, longest=3, length_penalty=alpha, forbidden=forbidden)
    every = [t for count in range(4) for t in itertools.product((3, 4), repeat=count)]
    for row in range(4):
        scored = [(t, log_p_of(table, row, t) / penalty(t, alpha)) for t in every]
        assert_equal(answer, row, sorted(scored, key=lambda pair: -pair[1]))
        assert (answer.scores[row, len(every) :] == -np.inf).all()


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize(
    ("shortest", "repeated", "alpha"),
    [(0, 0, 0.0), (0, 0, 1.0), (4, 0, 0.6), (3, 2, 1.0), (0, 1, 2)],
)
def test_it_finds_what_a_search_with_lists_finds(table, width, shortest, repeated, alpha):
    options = {"shortest": shortest, "repeated": repeated, "length_penalty": float(alpha)}
    answer = found(table, width=width, longest=8, **options)
    for row in range(4):
        assert_equal(answer, row, searched_by_hand(table, row, width, 8, shortest, alpha, repeated))
        best = answer.tokens[row, 0, : answer.lengths[row, 0]].tolist()
        log_p = answer.log_probabilities[row, 0]
        assert log_p == pytest.approx(log_p_of(table, row, best), rel=1e-5)


def test_a_width_of_one_takes_the_best_token_at_every_step(table):
    answer = found(table, width=1, longest=20, length_penalty=1.0)
    for row in range(4):
        place, tokens = place_after(0, START), []
        while len(tokens) < 20:
            allowed = np.where(np.isin(np.arange(TOKENS), FORBIDDEN), -np.inf, table[row, place])
            token = int(allowed.argmax())
            if token == END:
                break
            tokens.append(token)
            place = place_after(place, token)
        assert words(answer, row)[0][0] == tuple(tokens)


def test_a_row_is_answered_alike_alone_and_in_any_batch(table):
    limits = {"longest": [3, 9, 0, 6], "shortest": [1, 4, 0, 0], "length_penalty": [0.0, 1.0, 0, 2]}
    kinds = {"longest": np.int32, "shortest": np.int32, "length_penalty": np.float32}
    options = {name: np.array(value, kinds[name]) for name, value in limits.items()}
    together = found(table, **options, width=tf.constant(3), repeated=2)
    for row in range(4):
        own = {name: value[row : row + 1] for name, value in options.items()}
        alone = found(table, (row,), **own, width=3, repeated=2)
        most = alone.tokens.shape[2]
        np.testing.assert_array_equal(together.tokens[row, :, :most], alone.tokens[0])
        assert (together.tokens[row, :, most:] == 0).all()
        np.testing.assert_array_equal(together.scores[row], alone.scores[0])
        np.testing.assert_array_equal(together.lengths[row], alone.lengths[0])
    assert words(together, 2)[0][0] == ()


def test_lengths_keep_their_limits_and_no_n_gram_comes_twice(table):
    answer = found(table, width=6, longest=12, shortest=12, repeated=2)
    assert np.isfinite(answer.scores[:, 0]).all()
    for row in range(4):
        for tokens, _ in words(answer, row):
            assert not repeats(tokens, 2)
    free = found(table, width=6, longest=12, shortest=12)
    assert (free.lengths == 12).all()
    assert any(repeats(words(free, row)[0][0], 2) for row in range(4))


def test_a_sequence_to_which_all_is_forbidden_ends(table):
    """Two tokens that no sequence may hold twice: none is longer than two, whatever is asked."""
    answer = found(table, width=2, longest=9, shortest=9, repeated=1, forbidden=(*FORBIDDEN, 5, 6))
    assert (answer.lengths == 2).all()
    assert sorted(answer.tokens[0, 0, :2].tolist()) == [3, 4]


def test_no_row_gives_no_answer(table):
    answer = found(table, kinds=tf.zeros([0], tf.int32))
    assert answer.tokens.shape[:2] == (0, 4)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": 0}, "beam_width must be from 1 to 16"),
        ({"width": 17}, "beam_width must be from 1 to 16"),
        ({"longest": -1}, "longest length must be at least 0"),
        ({"shortest": -1}, "shortest length must be at least 0"),
        ({"length_penalty": -0.5}, "length_penalty must be at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused_here_and_in_a_graph(table, options, told):
    with pytest.raises(ValueError, match=told):
        found(table, **options)
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        found(table, **{name: tf.constant(value) for name, value in options.items()})


def test_a_saved_model_searches_with_any_width_and_batch(table, tmp_path):
    module = tf.Module()

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, "kinds"),
            tf.TensorSpec([], tf.int32, "width"),
        ]
    )
    def serve(kinds, width):
        states = [kinds[:, None], tf.zeros_like(kinds)[:, None]]
        answer = beam_search.search(
            stepping(table),
            states,
            start=START,
            end=END,
            width=width,
            longest=6,
            repeated=3,
            forbidden=FORBIDDEN,
        )
        return {"tokens": answer.tokens, "scores": answer.scores}

    tf.saved_model.save(module, str(tmp_path / "1"), serve)
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    for kinds, width in (((0, 1, 2, 3), 4), ((2,), 7)):
        expected = found(table, kinds, width=width, repeated=3)
        answer = served(kinds=tf.constant(kinds), width=tf.constant(width))
        np.testing.assert_array_equal(answer["tokens"], expected.tokens)
        np.testing.assert_array_equal(answer["scores"], expected.scores)
    with pytest.raises(tf.errors.InvalidArgumentError, match="beam_width"):
        served(kinds=tf.constant([0]), width=tf.constant(17))


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
def test_a_continuation_from_a_beam_of_all_beginnings_is_the_best_of_all(streaming, prompt):
    every = list(itertools.product(range(1, 5), repeat=4))
    scores = nats(streaming, prompt, every)
    ids, score = beam_search.continuation(
        streaming, np.array(prompt), length=4, width=64, step=model.step
    )
    assert tuple(ids) == every[scores.argmin()]
    assert score == pytest.approx(-scores.min(), abs=1e-4)


def test_one_candidate_is_greedy_and_more_are_no_worse(streaming):
    greedy = sampling.stream(streaming, np.array([1]), length=20, temperature=0.0, step=model.step)
    one = np.array([1])
    narrow, narrow_score = beam_search.continuation(streaming, one, 20, 1, step=model.step)
    assert narrow.tolist() == np.concatenate(list(greedy)).tolist()
    wide, wide_score = beam_search.continuation(streaming, one, 20, 8, step=model.step)
    assert wide_score >= narrow_score
    assert wide_score == pytest.approx(-nats(streaming, [1], [wide])[0], abs=1e-4)


def test_a_penalty_counts_what_each_candidate_has_written(streaming):
    penalised = {"repetition_penalty": 2.0, "step": model.step}
    one = np.array([1])
    plain, _ = beam_search.continuation(streaming, one, 20, 1, step=model.step)
    narrow, _ = beam_search.continuation(streaming, one, 20, 1, **penalised)
    drawn = sampling.stream(streaming, one, length=20, temperature=0.0, **penalised)
    assert narrow.tolist() == np.concatenate(list(drawn)).tolist() != plain.tolist()


def test_nothing_is_asked_for(streaming):
    ids, score = beam_search.continuation(streaming, np.array([1]), 0, 3, step=model.step)
    assert (len(ids), score) == (0, 0.0)
