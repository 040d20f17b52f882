"""An evaluation is complete, says who is better, and refuses what it cannot judge."""

import functools
import math

import keras
import numpy as np
import pytest

from apps.suite.runs import run_folder
from apps.suite.texts import tokenizer
from apps.text_generation import config as configs
from apps.text_generation import data, evaluate, model, scoring
from tests.apps import evaluations

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WORDS = ("In", "the", "beginning", "was", "word,", "and", "it", "<b>went</b>", "on.\n")


def made_up_text(count=900):
    return " ".join(np.random.default_rng(0).choice(WORDS, count))


def trained_run(folder, kind="character", **sizes):
    """A run folder as a training leaves it, with a model that has learned nothing."""
    folder.mkdir(exist_ok=True)
    file = folder / "text.txt"
    file.write_text(made_up_text())
    config = configs.Config(
        preset="tiny",
        data=str(file),
        text=configs.TextConfig(tokenizer=kind, validation_fraction=0.2, test_fraction=0.2),
        model=configs.ModelConfig(layer_count=1, units=4, embedding_units=4, **sizes),
        training=configs.TrainingConfig(window_tokens=16),
    )
    keras.utils.set_random_seed(0)
    text = data.load(config)
    learned = tokenizer.learn(kind, 100, text.train)
    noted = {"name": text.name, "fingerprint": text.fingerprint}
    with run_folder.start(folder / "run", "text_generation", config, noted) as run:
        learned.save(run.path / "tokenizer")
        model.build_streaming(config, learned.vocabulary_size).save(run.model_file)
        run.history_file.write_text("step,loss,validation_loss\n5,3.0,2.9\n10,2.9,2.8\n")
        run.finish_training(12.3)
    return run


quietly = functools.partial(evaluations.quietly, evaluate.evaluate)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    run = trained_run(tmp_path_factory.mktemp("evaluated"))
    return run, *quietly(run)


def test_the_numbers_are_those_of_the_test_part_read_from_end_to_end(evaluated):
    run, metrics, _ = evaluated
    primary = metrics["primary"]
    assert (primary["name"], primary["higher_is_better"]) == ("nats_per_character", False)
    text = data.load(run.config)
    learned = tokenizer.learn("character", 0, text.train)
    streaming = keras.models.load_model(run.model_file)
    nats = scoring.token_nats(streaming, learned.encode(text.test), 1)
    test = metrics["test"]
    assert test["scored_tokens"] == test["scored_characters"] == len(text.test) - 1
    assert test["unknown_tokens"] == 0
    assert test["nats_per_token"] == pytest.approx(nats.mean(), abs=1e-4)
    assert test["nats_per_character"] == pytest.approx(test["nats_per_token"])
    assert test["bits_per_character"] == pytest.approx(nats.mean() / math.log(2), abs=1e-4)
    assert test["perplexity"] == pytest.approx(math.exp(nats.mean()), abs=1e-2)


def test_the_baseline_is_named_the_better_one_where_it_is_and_a_way_to_use_it(evaluated):
    run, metrics, printed = evaluated
    assert f"python -m apps.text_generation.mix --run {run.path}" in printed
    assert not (run.path / "ngrams.npz").exists()
    best = metrics["primary"]["baseline"]["name"]
    assert best.endswith("-gram Kneser-Ney")
    assert f"The baseline {best} is better than the model" in printed
    lines = [line.split("  ")[0] for line in printed.splitlines()]
    assert lines.index(best) < lines.index("unigram") < lines.index("this model")


def test_the_report_shows_what_was_found_and_escapes_the_text(evaluated):
    run, metrics, _ = evaluated
    page = run.report_file.read_text()
    for said in (
        "Continuations of the test text",
        "What the text really says",
        "How much is copied",
        "Best predicted",
        "Worst predicted",
        "text.txt",
        "your own",
        f"{metrics['primary']['model']:#.4g} against",
        "&lt;b&gt;went&lt;/b&gt;",
    ):
        assert said in page
    assert "<b>" not in page
    names = {"learning_curve", "model_and_baselines", "nats_by_place"}
    assert {file.stem for file in run.plots.glob("*.png")} >= names


def test_words_are_measured_in_characters_too_and_unknown_ones_counted(tmp_path):
    run = trained_run(tmp_path, kind="word")
    text = data.load(run.config)
    learned = tokenizer.learn("word", 5, text.train)
    learned.save(run.path / "tokenizer")
    model.build_streaming(run.config, learned.vocabulary_size).save(run.model_file)
    test = quietly(run)[0]["test"]
    ids = learned.encode(text.test)
    assert test["scored_tokens"] == len(ids) - 1
    assert test["unknown_tokens"] == (ids[1:] == 0).sum() > 0
    first = scoring.character_counts(text.test, learned)[0]
    assert test["scored_characters"] == len(text.test) - first
    total = test["nats_per_token"] * test["scored_tokens"]
    assert total == pytest.approx(test["nats_per_character"] * test["scored_characters"])
