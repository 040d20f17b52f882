"""A stream in chunks of any size writes the letters that the whole recording gives."""

import numpy as np
import pytest
import tensorflow as tf

from apps.speech_to_text import model, scoring
from apps.suite.networks import ctc
from tests.apps.speech_to_text import small_run

KINDS = [{}, {"layer": "gru", "kind": "pcen"}, {"layer": "lstm", "kind": "mfcc", "layer_count": 1}]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def made(request):
    return small_run.trained(**request.param)


def heard_whole(made, sounds):
    longest = max(map(len, sounds))
    rows = np.stack(
        [np.pad(each, (0, longest - len(each)), constant_values=0.3) for each in sounds]
    )
    recogniser = scoring.Recogniser(made)
    lengths = tf.constant([len(each) for each in sounds])
    logits, steps = recogniser.heard(tf.constant(rows), lengths)
    texts = recogniser.text(ctc.greedy(logits, steps)).numpy()
    return [text.decode() for text in texts]


def talkative(made):
    """The sound of some in which the most words are heard, and its text."""
    sounds = [small_run.sound(3.0, seed) for seed in range(12)]
    pairs = zip(heard_whole(made, sounds), sounds, strict=True)
    whole, sound = max(pairs, key=lambda pair: (pair[0].count(" "), len(pair[0])))
    return sound, whole


def heard_in_chunks(made, sound, sizes):
    listener = model.Listener(made.model, made.config, made.alphabet)
    states, text, tail, place = listener.initial_states(1), "", "", 0
    pieces = []
    for size in sizes:
        pieces.append(sound[place : place + size])
        place += size
    pieces.append(sound[place:])
    for at, piece in enumerate(pieces):
        flush = at == len(pieces) - 1
        labels, rest, states = listener(tf.constant(piece[None]), states, flush)
        text += "".join(made.alphabet[each] for each in labels.numpy()[0] if each >= 0)
        tail = "".join(made.alphabet[each] for each in rest.numpy()[0] if each >= 0)
        assert " " not in tail
    assert tail == ""
    return text.strip()


def test_chunks_of_any_size_equal_the_whole_to_the_letter(made):
    sound, whole = talkative(made)
    assert len(whole) > 5
    assert " " in whole or made.config.features.kind != "log_mel"
    draw = np.random.default_rng(0)
    for sizes in ([], [1] * 5 + [0, 700], [160] * 12, list(draw.integers(0, 4_000, 8))):
        assert heard_in_chunks(made, sound, sizes) == whole


def test_padding_and_neighbours_change_no_letter(made):
    sounds = [small_run.sound(seconds, seed) for seed, seconds in enumerate((2.0, 0.7, 1.3, 0.01))]
    alone = [heard_whole(made, [sound])[0] for sound in sounds]
    assert heard_whole(made, sounds) == alone
    assert alone[3] == "", "shorter than a window: nothing is said"


def test_a_text_as_said_is_final_and_only_the_last_word_may_grow(made):
    listener = model.Listener(made.model, made.config, made.alphabet)
    states, told = listener.initial_states(1), ""
    recogniser = scoring.Recogniser(made)
    sound, whole = talkative(made)
    for start in range(0, len(sound), 1_600):
        text, tail, states = listener(tf.constant(sound[None, start : start + 1_600]), states)
        told += "".join(made.alphabet[each] for each in text.numpy()[0] if each >= 0)
        rest = recogniser.text(tail).numpy()[0].decode()
        assert whole.startswith((told + rest).strip())


@pytest.mark.parametrize("layer", ["bilstm", "convolution"])
def test_a_model_that_needs_later_sound_hears_no_stream_and_padding_is_nothing_to_it(layer):
    made = small_run.trained(layer=layer)
    with pytest.raises(ValueError, match="later"):
        model.Listener(made.model, made.config, made.alphabet)
    sounds = [small_run.sound(seconds, seed) for seed, seconds in enumerate((2.0, 0.7))]
    assert heard_whole(made, sounds) == [heard_whole(made, [sound])[0] for sound in sounds]
