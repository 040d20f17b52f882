"""A small network learns small data by heart, and its language model the order of letters."""

import dataclasses

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from apps.speech_to_text import config as configs
from apps.speech_to_text import data, evaluate, language_model, predict, train, trained_model
from apps.suite.networks import ctc
from apps.suite.runs import files
from tests.apps.speech_to_text import small_run

RATE = small_run.RATE_HZ
PITCHES_HZ = {"a": 350.0, "n": 900.0, "o": 1_800.0, " ": 0.0}
TEXTS = ("a no", "no a", "on", "na oa", "ono", "an on")


def spoken(text, draw):
    """A tone for each letter, silence for a blank, over noise."""
    pieces = [np.zeros(RATE // 10)]
    for letter in text:
        times = np.arange(RATE // 8 + draw.integers(RATE // 40)) / RATE
        pieces += [0.3 * np.sin(2 * np.pi * PITCHES_HZ[letter] * times), np.zeros(RATE // 33)]
    sound = np.concatenate([*pieces, np.zeros(RATE // 4)])
    return (sound + draw.normal(0, 0.003, len(sound))).astype("float32")


@pytest.fixture(scope="module")
def corpus_file(tmp_path_factory):
    folder, draw, rows = tmp_path_factory.mktemp("tones"), np.random.default_rng(0), []
    for at in range(180):
        text = TEXTS[at % 6]
        soundfile.write(folder / f"{at}.wav", spoken(text, draw), RATE, subtype="PCM_16")
        part = "train" if at < 156 else "validation" if at < 168 else "test"
        rows.append(f"{at}.wav,{text},{part}")
    (folder / "list.csv").write_text("\n".join(["path,text,part", *rows]))
    return folder / "list.csv"


def config_of(file, steps):
    made = small_run.config(data=file, units=32, layer_count=1, dropout=0.0)
    training = configs.TrainingConfig(
        batch_size=8, steps=steps, steps_per_checkpoint=steps // 2, learning_rate=0.01
    )
    augmentation = configs.AugmentationConfig(copies=0, time_masks=0, band_masks=0)
    groups = {"training": training, "augmentation": augmentation}
    return configs.Config(**{**vars(made), **groups})


@pytest.mark.slow
def test_tones_are_learned_and_a_stream_says_the_same(corpus_file, tmp_path, capsys):
    train.train(config_of(corpus_file, 600), tmp_path / "run")
    assert "alphabet  4 letters: ano and the blank between words" in capsys.readouterr().out
    metrics = files.read_json(tmp_path / "run" / "metrics.json")
    most_frequent = metrics["baselines"]["most_frequent_text"]["word_error_rate"]
    assert metrics["test"]["greedy_word_error_rate"] < 0.7 * most_frequent
    assert metrics["test"]["stream_differing_letters"] == 0
    assert trained_model.load(tmp_path / "run").alphabet == (" ", "a", "n", "o")
    wav = corpus_file.with_name("168.wav")
    options = predict.Options((str(wav),), run=tmp_path / "run", words=True, alternatives=2)
    (answer,) = predict.predict(options)
    assert answer.alternatives[0][0] == answer.text
    assert " ".join(word.word for word in answer.words) == answer.text
    streamed = predict.Options((str(wav),), run=tmp_path / "run", stream=True)
    pieces = list(predict.predict(streamed))
    assert pieces[-1].tail == ""
    again = evaluate.evaluate(tmp_path / "run")
    assert again["test"] == pytest.approx(metrics["test"])


@pytest.mark.parametrize("layer", ["peephole_lstm", "bilstm", "convolution"])
def test_a_step_moves_every_weight(corpus_file, layer):
    from apps.speech_to_text import model
    from apps.suite.sounds import feature_cache
    from apps.suite.training import optimizer

    config = config_of(corpus_file, 2)
    kind = dataclasses.replace(config.model, layer=layer)
    config = dataclasses.replace(config, model=kind)
    corpus = data.load(config)
    learned = data.featured(corpus, "train", config)
    mean, variance = feature_cache.statistics(learned.features)
    network = model.compiled(
        model.build(config, 4, len(mean), mean, variance),
        optimizer.optimizer(config.training), config, 4.0,
    )  # fmt: skip
    before = [weight.numpy().copy() for weight in network.trainable_weights]
    inputs, targets = next(iter(data.batches(learned, config, np.asarray(mean))))
    assert (targets[:, 0].numpy() == -(-inputs["frames"].numpy() // 2)).all()
    network.train_on_batch(inputs, targets)
    for old, weight in zip(before, network.trainable_weights, strict=True):
        assert (old != weight.numpy()).any(), weight.path


def test_batches_depend_on_the_step_alone(corpus_file):

    config = config_of(corpus_file, 2)
    corpus = data.load(config)
    learned = data.featured(corpus, "train", config)
    fill = np.zeros(learned.features.frames.shape[1])
    whole = list(data.batches(learned, config, fill).take(5))
    later = list(data.batches(learned, config, fill, first_step=3).take(2))
    for (inputs, targets), (others, wanted) in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(inputs["features"], others["features"])
        np.testing.assert_array_equal(targets, wanted)


def test_a_tempo_that_is_drawn_leaves_frames_for_every_text(corpus_file):
    config = config_of(corpus_file, 8)
    tempo = dataclasses.replace(config.augmentation, highest_drawn_tempo_change=0.9)
    config = dataclasses.replace(config, augmentation=tempo)
    corpus = data.load(config)
    learned = data.featured(corpus, "train", config)
    fill = np.zeros(learned.features.frames.shape[1])
    lengths = set()
    for inputs, targets in data.batches(learned, config, fill).take(4):
        frames, opening = targets[:, 0].numpy(), targets[:, 1].numpy()
        assert (frames == -(-inputs["frames"].numpy() // 2)).all()
        for row, steps, first in zip(targets[:, 2:].numpy(), frames, opening, strict=True):
            assert steps - first >= ctc.least_frames([label for label in row if label >= 0])
        lengths.update(frames)
    assert len(lengths) > 12


def test_nothing_may_be_written_at_a_beginning_in_the_first_steps_unless_the_text_needs_it(
    corpus_file,
):

    config = config_of(corpus_file, 8)
    corpus = data.load(config)
    learned = data.featured(corpus, "train", config)
    learned.spare[:] = np.minimum(learned.spare, np.arange(len(learned.spare)) % 9)
    frames = round(config.training.opening_seconds / 0.04)
    opened = [
        targets[:, 1].numpy()
        for _, targets in data.batches(
            learned, config, np.zeros(learned.features.frames.shape[1])
        ).take(4)
    ]
    seen = {*opened[0], *opened[1]}
    assert max(seen) == frames
    assert len(seen) > 2, "a text that can spare less has less"
    assert not opened[2].any()
    assert not opened[3].any()


def test_the_language_model_learns_what_follows_and_sums_to_one():
    config = configs.Config(language=configs.LanguageConfig(units=16, steps=120, batch_size=8))
    alphabet = (" ", "a", "n", "o")
    network = language_model.train(config, ["an on", "no an"] * 3, alphabet)
    again = language_model.train(config, ["an on", "no an"] * 3, alphabet)
    for one, other in zip(network.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    rows = tf.constant([[1, 2, 0, 3, 2], [3, 3, 3, 1, 0], [1, 2, -1, -1, -1], [-1] * 5])
    likely, unlikely, short, empty = language_model.log_probability(network, rows).numpy()
    assert likely > unlikely + 5
    alone = language_model.log_probability(network, tf.constant([[1, 2]]))
    np.testing.assert_allclose(alone, [short], rtol=1e-5)
    # Texts of up to one letter, and all that begin with two
    pairs = tf.constant([[a, b] for a in range(4) for b in range(4)])
    known = network(tf.concat([tf.fill([16, 1], 4), pairs], axis=1))
    first_two = tf.gather(tf.nn.log_softmax(known[:, :2]), pairs, axis=2, batch_dims=2)
    longer = float(tf.reduce_sum(tf.exp(tf.reduce_sum(first_two, axis=1))))
    singles = language_model.log_probability(network, tf.constant([[at] for at in range(4)]))
    total = longer + float(tf.reduce_sum(tf.exp(singles))) + np.exp(empty)
    assert total == pytest.approx(1.0, abs=1e-4)
