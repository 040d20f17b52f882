"""A reader who learns from what it read scores the text that follows, and changes nothing else."""

import json

import numpy as np
import pytest

from apps.text_generation import data, dynamic_evaluation, evaluate, scoring, trained_model
from tests.apps.text_generation import small_run, test_evaluate

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SEGMENT = 8


@pytest.fixture(scope="module")
def trained():
    return small_run.trained()


@pytest.fixture(scope="module")
def reader(trained):
    return dynamic_evaluation.Reader(trained, some_tokens(trained, 100, 1), SEGMENT)


def some_tokens(trained, count, seed):
    size = trained.tokenizer.vocabulary_size
    return np.random.default_rng(seed).integers(1, size, count).astype(np.int32)


@pytest.mark.parametrize("count", [2, SEGMENT + 1, 5 * SEGMENT + 4])
def test_with_rate_zero_the_figure_is_the_static_one(trained, reader, count):
    tokens = some_tokens(trained, count, 2)
    static = scoring.token_nats(trained.streaming, tokens, 1, SEGMENT)
    for decay in (0, 0.3):
        np.testing.assert_allclose(reader.token_nats(tokens, 0, decay), static, rtol=1e-5)


def test_a_segment_is_scored_before_it_and_what_follows_are_learned_from(trained, reader):
    tokens = some_tokens(trained, 6 * SEGMENT + 1, 3)
    other = tokens.copy()
    # The last token of a segment is first the wanted one, then the next segment's first input
    other[3 * SEGMENT + 1 :] = some_tokens(trained, 3 * SEGMENT, 4)
    one, two = (reader.token_nats(each, 0.01, 0.01) for each in (tokens, other))
    np.testing.assert_array_equal(one[: 3 * SEGMENT], two[: 3 * SEGMENT])
    # Other tokens within the segment change the segments after it through the weights alone
    other = tokens.copy()
    other[SEGMENT] = other[SEGMENT] % (trained.tokenizer.vocabulary_size - 1) + 1
    static = [scoring.token_nats(trained.streaming, each, 1) for each in (tokens, other)]
    three = reader.token_nats(other, 0.01, 0.01)
    np.testing.assert_array_equal(one[: SEGMENT - 1], three[: SEGMENT - 1])
    assert abs((three - one)[2 * SEGMENT :] - (static[1] - static[0])[2 * SEGMENT :]).max() > 1e-4


def test_a_text_that_repeats_itself_is_learned_and_the_network_stays(trained):
    before = [weight.numpy() for weight in trained.streaming.weights]
    again = np.tile(some_tokens(trained, 2 * SEGMENT, 5), 30)
    tokens = data.Tokens(some_tokens(trained, 100, 6), again, again)
    adapted = dynamic_evaluation.evaluate(trained, tokens)
    static = scoring.token_nats(trained.streaming, again, 1)
    assert adapted.rate > 0
    assert adapted.nats[-100:].mean() < 0.95 * static[-100:].mean()
    np.testing.assert_array_equal(adapted.nats, adapted.validation_nats)
    for weight, kept in zip(trained.streaming.weights, before, strict=True):
        np.testing.assert_array_equal(weight, kept)


@pytest.mark.slow
def test_the_option_adds_a_figure_and_leaves_what_is_served(tmp_path, capsys):
    run = test_evaluate.trained_run(tmp_path, ngram_mixture="always")
    served = run.model_file.read_bytes()
    assert evaluate.main(["--run", str(run.path), "--dynamic"]) == 0
    assert run.model_file.read_bytes() == served
    metrics = json.loads(run.metrics_file.read_text())
    told, static = metrics["dynamic_evaluation"], metrics["baselines"]["network alone"]
    trained = trained_model.read(run)
    tokens = data.encode(data.load(run.config), trained.tokenizer, run.config)
    alone = scoring.nats_per_token(trained.streaming, tokens.test, 1)
    assert static["nats_per_token"] == pytest.approx(alone, abs=1e-4)
    # Its network has learned nothing before: what it learns on the way is all that it knows
    learned = told["network_alone_nats_per_character"]
    assert told["nats_per_character"] <= learned < static["nats_per_character"] - 0.005
    sentence = f"Dynamic evaluation: {told['nats_per_character']:#.4g} nats per character"
    assert sentence in capsys.readouterr().out
    assert sentence in run.report_file.read_text()
