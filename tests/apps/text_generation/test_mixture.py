"""The mixture in the graph is the one of the formula, and a run answers with what was measured."""

import json

import numpy as np
import pytest
import tensorflow as tf

from apps.suite import errors
from apps.suite.networks import sampling
from apps.text_generation import (
    data,
    evaluate,
    mix,
    mixture,
    model,
    predict,
    scoring,
    trained_model,
)
from apps.text_generation import export as exports
from tests.apps.text_generation import small_run, test_evaluate

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def some_text(words, seed):
    return " ".join(np.random.default_rng(seed).choice(small_run.TEXT.split(), words))


def mixed_with(trained, share=0.4):
    train, validation = (trained.tokenizer.encode(some_text(400, seed)) for seed in (0, 1))
    network = scoring.token_nats(trained.streaming, validation)
    found, _ = mixture.fit(train, validation, trained.tokenizer.vocabulary_size, network, 4)
    return found._replace(share=share)


@pytest.fixture(scope="module")
def trained():
    return small_run.trained()


@pytest.fixture(scope="module")
def counted(trained):
    return mixed_with(trained)


@pytest.fixture(scope="module")
def mixed(trained, counted):
    return mixture.mixed(trained.streaming, counted)


@pytest.mark.parametrize("window", [5, 64])
def test_the_graph_says_what_the_formula_says_whatever_it_reads_at_once(
    trained, counted, mixed, window
):
    tokens = trained.tokenizer.encode(some_text(60, 2) + " unseen: aGdIl\n\n" + some_text(9, 3))
    network = scoring.token_nats(trained.streaming, tokens, 1)
    expected = counted.nats(tokens, network)
    assert abs(expected - network).max() > 0.5  # the n-grams count
    found = scoring.token_nats(mixed, tokens, 1, window)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_one_token_after_the_other_is_the_whole_and_all_tokens_share_one(trained, mixed):
    tokens = tf.constant([trained.tokenizer.encode(some_text(8, seed))[:30] for seed in (4, 5)])
    states = sampling.initial_states(mixed, 2)
    whole, *last = mixed([tokens, *states])
    for place in range(30):
        logits, states = model.step(mixed, tokens[:, place], states)
        np.testing.assert_allclose(logits, whole[:, place], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(states[-1], last[-1])
    np.testing.assert_allclose(tf.reduce_sum(tf.exp(whole), axis=-1), 1.0, rtol=1e-4)


@pytest.mark.parametrize("reach", [1, 2])
def test_longer_n_grams_are_taken_only_where_they_help(reach):
    draw, parts = np.random.default_rng(0), []
    for _ in range(2):
        tokens = draw.integers(4, size=3_000)
        for place in range(reach, len(tokens)):
            if draw.random() < 0.9:  # as many tokens before tell it
                tokens[place] = (tokens[place - reach : place].sum() + 1) % 4
        parts.append(tokens)
    blind = np.full(2_999, np.log(4), np.float32)
    assert mixture.fit(*parts, 4, blind, 5)[0].model.order == reach + 1


def test_a_state_that_no_text_leads_to_counts_as_unseen(trained, mixed):
    token = tf.constant([3])
    *states, grams = sampling.initial_states(mixed, 1)
    unseen = model.step(mixed, token, [*states, grams - 1.0])[0]
    for strange in (1e9, -7.0):
        given = [*states, tf.fill(grams.shape, strange)]
        np.testing.assert_array_equal(model.step(mixed, token, given)[0], unseen)


def test_the_better_one_has_the_larger_share_and_neither_alone_is_better():
    train, validation = (
        np.random.default_rng(seed).permutation(np.repeat(np.arange(4), 99)) for seed in (0, 1)
    )
    shares = []
    for even, odd in ((0.1, 0.2), (0.3, 5.0), (8.0, 9.0)):
        network = np.where(np.arange(395) % 2 == 0, even, odd).astype(np.float32)
        found, least = mixture.fit(train, validation, 4, network, 3)
        alone = found._replace(share=0.0).nats(validation, network).mean()
        together = found.nats(validation, network).mean()
        assert together <= min(alone, network.mean()) + 1e-3
        assert least == pytest.approx(together, rel=1e-6)
        shares.append(found.share)
    assert shares[0] > 0.9 > shares[1] > 0.1 > shares[2]


def test_a_run_keeps_its_n_grams_and_a_damaged_file_is_one_line(tmp_path, counted):
    size = counted.model.vocabulary_size
    assert mixture.load(tmp_path, size) is None
    mixture.save(counted, tmp_path)
    tokens = np.arange(1, 20) % size
    again, network = mixture.load(tmp_path, size), np.ones(18, np.float32)
    np.testing.assert_allclose(again.nats(tokens, network), counted.nats(tokens, network), 1e-5)
    with pytest.raises(errors.UserError, match=r"ngrams.npz: knows \d+ tokens"):
        mixture.load(tmp_path, size + 1)
    file = tmp_path / mixture.FILE
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(errors.UserError, match=r"ngrams.npz: cannot be read; .*\.mix --run"):
        mixture.load(tmp_path, size)


def test_auto_mixes_where_counting_is_better_and_the_report_tells_it_apart(tmp_path):
    run = test_evaluate.trained_run(tmp_path, ngram_mixture="auto")  # of a network without training
    metrics, printed = test_evaluate.quietly(run)
    values = {name: each["nats_per_character"] for name, each in metrics["baselines"].items()}
    (ngram,) = (name for name in values if name.endswith("Kneser-Ney"))
    primary = metrics["primary"]
    assert primary["model"] <= values[ngram] + 0.01 < values["network alone"]
    assert metrics["mixture"]["network_share"] < 0.5
    assert "This model is a mixture of the network" in printed
    assert "network alone" in printed
    page = run.report_file.read_text()
    assert "a mixture of the network" in page
    found = trained_model.read(run)
    tokens = data.encode(data.load(run.config), found.tokenizer, run.config)
    nats = scoring.token_nats(found.answering(), tokens.test, 1)
    assert nats.mean() == pytest.approx(primary["model"], abs=2e-3)


def test_auto_leaves_the_network_alone_where_both_together_gain_too_little(tmp_path, monkeypatch):
    run = test_evaluate.trained_run(tmp_path, ngram_mixture="auto")
    monkeypatch.setattr(evaluate, "LEAST_GAIN", 0.99)
    metrics, printed = test_evaluate.quietly(run)
    assert "mixture" not in metrics
    assert "network alone" not in printed
    assert not (run.path / mixture.FILE).exists()


def test_a_run_without_the_option_gets_n_grams_by_a_command(tmp_path, capsys):
    run = test_evaluate.trained_run(tmp_path)
    found = trained_model.read(run)
    assert found.mixture is None
    assert mix.main(["--run", str(run.path)]) == 0
    told = json.loads(run.metrics_file.read_text())
    tokens = data.encode(data.load(run.config), found.tokenizer, run.config)
    alone = scoring.nats_per_token(found.streaming, tokens.test)
    assert told["baselines"]["network alone"]["nats_per_token"] == pytest.approx(alone, abs=1e-3)
    assert told["mixture"]["network_share"] == trained_model.load(run.path).mixture.share < 0.5


@pytest.mark.slow
def test_a_run_its_export_and_a_beam_answer_with_the_mixture(tmp_path, capsys):
    run = tmp_path / "run"
    made = small_run.write(run)

    def told(*arguments):
        options = ("God", "--length", "30", "--seed", "3", *map(str, arguments), "--json")
        assert predict.main(options) == 0
        return json.loads(capsys.readouterr().out)["text"]

    alone = told("--run", run)
    mixture.save(mixed_with(made, 0.1), run)
    mixed = told("--run", run)
    assert mixed != alone
    version = exports.export(run, tmp_path / "exports")
    capsys.readouterr()
    assert told("--model", version) == mixed
    settings = json.loads((version / "assets" / "settings.json").read_text())
    assert settings["ngrams"]["network_share"] == 0.1
    greedy = told("--run", run, "--temperature", 0)
    assert told("--run", run, "--beam_width", 1) == greedy
