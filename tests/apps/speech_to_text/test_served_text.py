"""The signatures answer alike, whatever stands beside a row, and refuse what cannot be meant."""

import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from apps.speech_to_text import predict, scoring, serving
from tests.apps.speech_to_text import small_run

RATE = small_run.RATE_HZ


@pytest.fixture(scope="module")
def made():
    return small_run.trained()


@pytest.fixture(scope="module")
def asked(made):
    served = serving.ServedText(made)
    functions = served.signatures()

    def ask(signature="serving_default", **inputs):
        found = functions[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in found.items()}

    ask.served = served
    return ask


def one(seconds, seed):
    sound = small_run.sound(seconds, seed)
    return {"waveform": sound[None], "length": np.array([len(sound)], np.int32)}


def test_rows_of_a_batch_are_answered_as_alone(asked):
    rows = [one(seconds, seed) for seed, seconds in enumerate((1.0, 0.4, 0.01))]
    longest = max(row["waveform"].shape[1] for row in rows)
    together = {
        "waveform": np.concatenate(
            [
                np.pad(row["waveform"], ((0, 0), (0, longest - row["waveform"].shape[1])))
                for row in rows
            ]
        ),
        "length": np.concatenate([row["length"] for row in rows]),
    }
    for signature, names in (
        ("padded", ("text", "greedy_text", "confidence")),
        ("words", ("words", "start_seconds", "end_seconds", "confidence")),
    ):
        whole = asked(signature, **together)
        for at, row in enumerate(rows):
            alone = asked(signature, **row)
            for name in names:
                ours, theirs = alone[name][0], whole[name][at]
                if np.ndim(ours):
                    theirs = theirs[: len(ours)]
                if isinstance(ours, bytes) or ours.dtype == object:
                    assert np.array_equal(ours, theirs), (signature, name)
                else:
                    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert whole["words"].shape[1] > 1


def test_the_text_is_the_best_of_the_beam_with_the_run_s_weights(made, asked):
    given = one(1.0, 3)
    weights = {
        "language_weight": np.array([made.language_weight], np.float32),
        "word_bonus": np.array([made.word_bonus], np.float32),
    }
    found = asked("beam", **given, **weights)
    answer = asked("padded", **given)
    assert found["texts"][0, 0] == answer["text"][0]
    scores = found["scores"][0]
    assert (np.diff(scores) <= 0).all()
    np.testing.assert_allclose(
        answer["confidence"], np.exp(scores[0]) / np.exp(scores).sum(), rtol=1e-4
    )
    other = asked(
        "beam", **given, language_weight=np.array([0.0], "f"), word_bonus=np.array([-50.0], "f")
    )
    assert len(other["texts"][0, 0].split()) <= len(answer["text"][0].split())


def test_a_score_is_what_the_two_models_say_of_the_text(made):
    recogniser = scoring.Recogniser(made)
    given = one(0.6, 4)
    logits, steps = recogniser.heard(given["waveform"], tf.constant(given["length"]))
    found = recogniser.candidates(logits, steps)
    labels = found.labels[0, :1]
    known = int((labels.numpy() >= 0).sum())
    inputs = tf.concat([[[len(made.alphabet)]], labels[:, :known]], axis=1)
    logits = made.language_model(inputs)
    targets = tf.concat([labels[:, :known], [[len(made.alphabet)]]], axis=1)
    nats = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    np.testing.assert_allclose(found.language[0, 0], -tf.reduce_sum(nats), rtol=1e-4)
    text = recogniser.text(labels).numpy()[0].decode()
    assert found.words[0, 0] == len(text.split())


def test_words_are_the_text_with_times_in_order_within_the_sound(asked):
    given = one(2.0, 5)
    found = asked("words", **given)
    words = [word.decode() for word in found["words"][0] if word]
    assert " ".join(words) == asked(waveform=given["waveform"])["text"][0].decode()
    count = len(words)
    start, end = found["start_seconds"][0, :count], found["end_seconds"][0, :count]
    assert (start < end).all()
    assert (end[:-1] <= start[1:] + 1e-6).all()
    assert start[0] >= 0
    assert end[-1] <= 2.1
    sure = found["confidence"][0, :count]
    assert ((sure > 0) & (sure <= 1)).all()


def test_a_wav_file_is_answered_as_its_samples(asked):
    given = one(1.0, 6)
    rounded = np.round(given["waveform"] * 32768) / 32768
    file = io.BytesIO()
    soundfile.write(file, rounded[0], RATE, "PCM_16", format="WAV")
    ours = asked("wav", wav=np.array([file.getvalue()], object))
    theirs = asked(waveform=rounded.astype("f"))
    assert ours["text"][0] == theirs["text"][0]
    assert ours["greedy_text"][0] == theirs["greedy_text"][0]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"length": np.array([9_000_000], np.int32)}, "length"),
        ({"length": np.array([-1], np.int32)}, "length"),
        ({"length": np.array([5, 5], np.int32)}, "length"),
        ({"waveform": np.full((1, 8_000), 200.0, "f")}, "waveform"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(asked, changed, named):
    with pytest.raises(tf.errors.InvalidArgumentError, match=named):
        asked("padded", **{**one(1.0, 0), **changed})


def test_captions_are_cut_at_pauses_and_after_some_words():
    words = [predict.Word(f"w{at}", at * 0.4, at * 0.4 + 0.3, 1.0) for at in range(10)]
    words.append(predict.Word("late", 61.5, 3_661.25, 1.0))
    blocks = predict.captions(words).split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["1", "2", "3"]
    assert blocks[0].splitlines()[1] == "00:00:00,000 --> 00:00:03,100"
    assert blocks[1].splitlines()[2] == "w8 w9"
    assert blocks[2].splitlines()[1] == "00:01:01,500 --> 01:01:01,250"
