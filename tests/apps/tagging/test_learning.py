"""Networks of every kind learn a rule that needs letters and neighbours; vectors are read."""

import dataclasses

import keras
import numpy as np
import pytest

from apps.suite import errors
from apps.suite.evaluation import tag_measures
from apps.suite.sequences import batches
from apps.suite.texts import words
from apps.tagging import baselines, config, data, model, report, scoring, trained_model
from tests.apps.tagging import small_run


def corpus(count=300, seed=0):
    """Words that end in x begin a span if "the" stands before; "and" continues it."""
    draw, found = np.random.default_rng(seed), []
    for _ in range(count):
        sentence, tags, inside = [], [], False
        for _ in range(draw.integers(2, 9)):
            kind = draw.choice(4, p=(0.35, 0.15, 0.35, 0.15))
            letters = "".join(draw.choice(list("abcde"), 3))
            word = ("the", "and", letters + "x", letters)[kind]
            begins = kind == 2 and bool(sentence) and sentence[-1] == "the"
            inside = begins or (kind == 1 and inside)
            tags.append("B-s" if begins else "I-s" if inside else "O")
            sentence.append(word)
        label = "long" if len(sentence) > 5 else "short"
        found.append(data.Sentence(tuple(sentence), tuple(tags), label))
    return data.Corpus("", "", "", "", "IOB2", found[60:], found[:30], found[30:60])


@pytest.fixture(scope="module")
def made():
    return corpus()


def vocabulary_of(made):
    return words.learn_words(
        [each.words for each in made.train],
        size=10, least_count=20, lowercase=True, most_words=100,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("output", "members"), [("crf", 2), ("softmax", 1)])
def test_it_learns_spans_of_unknown_words_and_labels(made, output, members):
    settings = small_run.config(output=output)
    settings = dataclasses.replace(
        settings,
        text=dataclasses.replace(settings.text, word_dropout=0.0, character_filters=16),
        training=config.TrainingConfig(
            batch_size=16, steps=200, steps_per_checkpoint=200, members=members
        ),
        model=config.ModelConfig(units=16, output=output, dropout=0.0, input_dropout=0.0),
    )
    keras.utils.set_random_seed(1)
    vocabulary = vocabulary_of(made)
    network = model.build(settings, vocabulary, made.tag_names, made.scheme, 2)
    learner = model.compiled(network, keras.optimizers.Adam(0.02), settings, mean_words=5.0)
    learned, held_out = (data.encode(part, made, vocabulary) for part in (made.train, made.test))
    validate = scoring.Validation(network, held_out)
    before = validate()
    stream = data.batches(learned, settings, has_label=True)
    learner.fit(stream, steps_per_epoch=200, shuffle=False, verbose=0)
    after = validate()
    assert after["loss"] < 0.5 * before["loss"]
    assert after["accuracy"] > 0.94
    assert after["label_accuracy"] > 0.8
    given = baselines.crfsuite(made.train, made.test, seed=0)
    assert [len(tags) for tags in given] == [len(each.words) for each in made.test]


def test_batches_are_a_function_of_the_step_and_hold_every_sentence(made):
    settings = small_run.config()
    encoded = data.encode(made.train, made, vocabulary_of(made))
    whole = list(data.batches(encoded, settings, has_label=True).take(6))
    later = list(data.batches(encoded, settings, has_label=True, first_step=4).take(2))
    for (inputs, targets), (again, same) in zip(whole[4:], later, strict=True):
        np.testing.assert_array_equal(inputs["word_ids"], again["word_ids"])
        np.testing.assert_array_equal(targets[0], same[0])
        assert ((targets[0].numpy() >= 0) == (inputs["word_ids"].numpy() > 0)).all()


def test_a_batch_holds_replaced_spans_with_their_tags_and_labels(made):
    encoded = data.encode(made.train, made, vocabulary_of(made))
    training = config.TrainingConfig(batch_size=60, swapped_spans=0.5)
    settings = dataclasses.replace(small_run.config(), training=training)
    once, again = (data.batches(encoded, settings, True, 0, made.tag_names) for _ in range(2))
    changed = 0
    for step, (batch, same) in enumerate(zip(once.take(3), again.take(3), strict=True)):
        inputs, (tags, labels) = batch
        np.testing.assert_array_equal(inputs["letter_ids"], same[0]["letter_ids"])
        words, tags = inputs["word_ids"].numpy(), tags.numpy()
        assert ((tags >= 0) == (words > 0)).all()
        order = batches.Buckets(np.diff(encoded.starts), 60, (settings.seed, 41))
        chosen = order.batch(step)
        np.testing.assert_array_equal(labels, encoded.labels[chosen])
        before = data.padded(encoded, chosen)[2]
        for row, of_row in zip(tags, before, strict=True):
            assert (row == 1).sum() == (of_row == 1).sum()  # as many spans
            assert (row == 0).sum() == (of_row == 0).sum()  # and all that is outside
            changed += (row == 2).sum() != (of_row == 2).sum()
    assert changed > 3


def test_rare_words_are_hidden_more_often_than_frequent_ones(made):
    encoded = data.encode(made.train, made, vocabulary_of(made))
    training = config.TrainingConfig(batch_size=60, rare_dropout=30.0)
    settings = dataclasses.replace(small_run.config(), training=training)
    plain = dataclasses.replace(small_run.config(), training=config.TrainingConfig(batch_size=60))
    streams = [data.batches(encoded, each, True).take(20) for each in (settings, plain)]
    shown, right = (
        np.concatenate([inputs["word_ids"].numpy().ravel() for inputs, _ in stream])
        for stream in streams
    )
    assert set(shown[shown != right]) == {1}
    assert not shown[right == 0].any()
    counts = np.bincount(encoded.words)
    for word in np.flatnonzero(counts[2:]) + 2:
        share = (shown[right == word] == 1).mean()
        assert abs(share - 30 / (30 + counts[word])) < 0.1


def test_the_most_frequent_tag_of_a_word_ignores_what_is_not_known():
    train = [data.Sentence(("a", "a", "b", "c"), ("x", "", "y", "y")),
             data.Sentence(("a", "a"), ("x", "y"))]  # fmt: skip
    test = [data.Sentence(("a", "b", "new"), ("x", "y", "y"))]
    assert baselines.most_frequent(train, test) == [["x", "y", "y"]]


def test_word_vectors_come_from_a_file(made, tmp_path, capsys):
    file = tmp_path / "vectors.txt"
    file.write_text("2 6\nTHE 1 2 3 4 5 6\nelsewhere 0 0 0 0 0 0\n")
    settings = small_run.config()
    settings = dataclasses.replace(
        settings, model=dataclasses.replace(settings.model, vectors=str(file))
    )
    vocabulary = vocabulary_of(made)
    network = model.build(settings, vocabulary, made.tag_names, made.scheme)
    table = np.array(network.get_layer("word_embedding").embeddings)
    assert table[2 + vocabulary.words.index("the")].tolist() == [1, 2, 3, 4, 5, 6]
    assert "vectors of 1 of the" in capsys.readouterr().out
    for text, told in (("the 1 2\n", ":1: holds 2 numbers"), ("the 1 2 3 4 5 x\n", "not a number"),
                       ("zzz 1 2 3 4 5 6\n", "a vector of none")):  # fmt: skip
        file.write_text(text)
        with pytest.raises(errors.UserError, match=told):
            model.build(settings, vocabulary, made.tag_names, made.scheme)


def test_the_decision_has_the_best_f1_of_the_validation_part_and_is_saved(made, tmp_path):
    settings = dataclasses.replace(
        small_run.config(), model=config.ModelConfig(units=7, decision="f1")
    )
    keras.utils.set_random_seed(0)
    vocabulary = vocabulary_of(made)
    network = model.build(settings, vocabulary, made.tag_names, made.scheme)
    network.get_layer("scores").bias.assign([0.7, 0.2, 0.1])  # O is too probable
    names = tuple(made.tag_names)
    trained = trained_model.TrainedModel(network, vocabulary, names, (), made.scheme, settings)
    encoded, right = data.encode(made.test, made, vocabulary), [each.tags for each in made.test]

    def f1():
        found = scoring.answers(trained, encoded)
        return tag_measures.total(tag_measures.by_type(right, found.tags, made.scheme)).f1

    inputs = {"word_ids": encoded.words[None], "letter_ids": encoded.letters[None]}
    before, scores = f1(), np.array(network(inputs))
    chosen = scoring.decide(trained, encoded, right)
    after, tags = f1(), scoring.answers(trained, encoded).tags
    assert chosen > 0
    assert after > before
    np.testing.assert_array_equal(network(inputs), scores)  # and so all probabilities
    for nats in (0.0, 0.4, 0.8):
        model.decision_of(network).outside.assign(nats)
        assert f1() <= after
    model.decision_of(network).outside.assign(chosen)
    network.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert scoring.answers(trained._replace(model=again), encoded).tags == tags


def test_plots_name_marks_in_words_and_other_types_as_they_are():
    assert [report._named(kind) for kind in (",", "?", ";", "city", "PUNCT", "$")] == [
        "comma", "question", "semicolon", "city", "PUNCT", "$",
    ]  # fmt: skip
