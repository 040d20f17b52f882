"""A small network learns to translate; measures and baselines are those of the literature."""

import dataclasses

import keras
import numpy as np
import pytest

from apps.suite.data import pair_sets
from apps.suite.sequences import pair_answers, pair_batches
from apps.suite.texts import nearest_text, subwords
from apps.suite.texts.pair_files import Pair
from apps.translation import baselines, config, data, measures, model, scoring
from tests.apps.translation import small_run

WORDS = {"one": "un", "two": "deux", "red": "rouge", "big": "grand", "dog": "chien"}


def pairs(count, seed):
    """Sentences whose translation has the words in the reverse order."""
    draw, found = np.random.default_rng(seed), []
    for _ in range(count):
        chosen = draw.choice(list(WORDS), draw.integers(2, 6))
        target = " ".join(WORDS[word] for word in reversed(chosen))
        found.append(Pair(" ".join(chosen), target))
    return found


def encoded(some, source, target):
    return pair_batches.encode(some, source, target, most_pieces=30)


@pytest.mark.slow
def test_it_learns_to_reverse_and_translate_and_validation_sees_it():
    settings = small_run.config(embedding_units=24, encoder_units=24, units=48)
    training = config.TrainingConfig(
        batch_size=32, steps=400, steps_per_checkpoint=400, precision="float32"
    )
    settings = dataclasses.replace(settings, training=training)
    keras.utils.set_random_seed(1)
    learned, held_out = pairs(800, 0), pairs(60, 1)
    source, target = (subwords.learn([pair[side] for pair in learned], 60) for side in (0, 1))
    network = model.build(settings, source.size, target.size)
    trainer = model.build_training(settings, source.size, target.size, keras.optimizers.Adam(0.01))
    writer = pair_answers.Writer(network, source, target, 1.2)
    validate = pair_answers.Validation(
        network,
        writer,
        pair_sets.by_source(held_out),
        encoded(held_out, source, target),
        measures.of_validation,
    )
    before = validate()
    stream = data.batches(encoded(learned, source, target), settings)
    trainer.fit(stream, steps_per_epoch=400, shuffle=False, verbose=0)
    trainer.copy_to(network)
    after = validate()
    assert after["loss"] < 0.4 * before["loss"]
    assert after["bleu"] > 50 > before["bleu"]
    answers = writer([pair.source for pair in held_out], 3, 0.6)
    right = np.mean([one == pair.target for one, pair in zip(answers.texts, held_out, strict=True)])
    assert right > 0.4
    questions = pair_sets.by_source(held_out)
    penalty, tried = scoring.chosen_penalty(writer, questions, 3, "13a", by_words=False)
    assert set(tried) == set(scoring.PENALTIES)
    assert tried[penalty] == max(tried.values())
    assert scoring.chosen_penalty(writer, questions, 1, "13a", by_words=False) == (0.6, {})


def test_a_penalty_is_chosen_by_word_error_and_of_equal_ones_the_usual_one():
    trained = small_run.trained()
    questions = [pair_sets.Question("old", ["K AE T"]), pair_sets.Question("cat", ["D AO G"])]
    penalty, tried = scoring.chosen_penalty(trained.writer, questions, 2, "13a", by_words=True)
    assert set(tried.values()) == {1.0}
    assert penalty == 0.6


def test_batches_are_a_function_of_the_step_and_long_pairs_are_counted():
    some = pairs(50, 0)
    source, target = (subwords.learn([pair[side] for pair in some], 60) for side in (0, 1))
    numbers = encoded(some, source, target)
    whole = list(data.batches(numbers, small_run.config()).take(6))
    later = list(data.batches(numbers, small_run.config(), first_step=4).take(2))
    for (inputs, following), (again, same) in zip(whole[4:], later, strict=True):
        np.testing.assert_array_equal(inputs["source"], again["source"])
        np.testing.assert_array_equal(following, same)
        target_ids = inputs["target"].numpy()
        assert (target_ids[:, 0] == subwords.START).all()
        is_inner = following.numpy()[:, :-1] != subwords.END
        np.testing.assert_array_equal(
            target_ids[:, 1:][is_inner], following.numpy()[:, :-1][is_inner]
        )
    long = [*some, Pair("one " * 80, "un")]
    assert encoded(long, source, target).left_out == 1
    assert len(encoded(long, source, target).source_starts) == len(some) + 1


def test_the_dictionary_learns_words_from_pairs_that_are_not_aligned():
    learned = pairs(300, 0)
    told = baselines.word_for_word(learned, ["one Red dog, new!"], by_letters=False)
    assert told == ["un rouge chien, new!"]
    letters = [Pair("ab", "A B"), Pair("ba", "B A"), Pair("a", "A")]
    assert baselines.word_for_word(letters, ["aab"], by_letters=True) == ["A A B"]


def test_the_memory_finds_the_nearest_text():
    learned = [Pair("a big red dog", "1"), Pair("two cats", "2"), Pair("one dog", "3")]
    found = nearest_text.nearest(learned, ["big red dogs", "two cats", "zzz"], by_letters=False)
    assert found.texts[:2] == ["1", "2"]
    assert found.similarity[1] == pytest.approx(1.0)
    assert found.similarity[2] == 0.0


def test_measures_take_every_right_translation():
    questions = pair_sets.by_source(
        [
            Pair("a", "the cat sat on the mat"),
            Pair("a", "a cat sat there"),
            Pair("b", "no dogs at all"),
        ]
    )
    assert [len(each.targets) for each in questions] == [2, 1]
    found = measures.scores(["a cat sat there", "no dogs at all"], questions, "13a", by_words=False)
    assert found["bleu"] == pytest.approx(100)
    assert found["exact"] == 1.0
    assert found["length_ratio"] == 1.0
    assert "word_error" not in found


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        (["aaron's", "a.", "co-op", "abacus"], True),
        (["She sees it.", "Yes.", "No."], False),
        (["他们在学校里学习", "你好"], False),
    ],
)
def test_single_words_are_judged_by_word_error_and_sentences_of_letters_are_not(sources, told):
    assert measures.by_words("character", sources) == told
    assert not measures.by_words("subword", sources)


def test_errors_of_phonemes_count_the_nearest_pronunciation():
    questions = [
        pair_sets.Question("a", ["K AE T", "K AE T S"]),
        pair_sets.Question("b", ["D AO G"]),
    ]
    found = measures.scores(["K AE T S", "D AO"], questions, "13a", by_words=True)
    assert found["word_error"] == 0.5
    assert found["phoneme_error"] == pytest.approx(1 / 7)


@pytest.mark.parametrize(
    ("language", "texts", "told"),
    [
        ("zh-CN", [], "zh"),
        ("cmn", [], "zh"),
        ("ja", [], "char"),
        ("fr", [], "13a"),
        ("", [], "13a"),
        ("", ["你好。", "他们在学校里学习。"], "zh"),
        ("", ["こんにちは。", "学校で勉強する。"], "char"),
        ("", ["안녕하세요.", "학교에서 공부한다."], "char"),
        ("", ["Il dit 你好 à tout le monde, et s'en va."], "13a"),
    ],
)
def test_texts_without_spaces_are_measured_by_characters(language, texts, told):
    assert measures.tokenizer_of(language, texts) == told
