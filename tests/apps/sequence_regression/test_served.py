"""Every kind of model answers alike whole, padded, in batches, and as a stream."""

import functools

import numpy as np
import pytest

from apps.sequence_regression import scoring, serving, targets
from apps.suite.export import asking
from apps.suite.sequences import ragged
from tests.apps.sequence_regression import small_run

pytestmark = pytest.mark.slow  # every kind of model is traced
NUMERIC = [name for name in small_run.KINDS if name != "text"]
STREAMING = [name for name in NUMERIC if small_run.KINDS[name].get("layer") != "bilstm"]


@functools.cache
def model_of(name):
    trained = small_run.trained(**small_run.KINDS[name])
    return trained, asking.of_served("sequence_regression", serving.of_model(trained))


@pytest.mark.parametrize("name", NUMERIC)
def test_padding_and_the_batch_change_no_answer(name):
    trained, model = model_of(name)
    long, short = small_run.a_sequence(24, 1), small_run.a_sequence(9, 2)
    batch = np.full((2, 30, 2), np.nan, np.float32)
    batch[0, :24], batch[1, :9] = long, short
    together = model.ask(values=batch)
    for row, values in enumerate((long, short)):
        alone = model.ask(values=values[None])
        for end in ("value", "lower", "upper"):
            kept = slice(len(values) if trained.config.target.per == "step" else None)
            found = together[end][row]
            found = found[kept] if found.ndim else found
            np.testing.assert_allclose(found, alone[end][0], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", NUMERIC)
def test_a_value_lies_inside_of_its_interval(name):
    _, model = model_of(name)
    values = np.stack([small_run.a_sequence(20, seed) for seed in range(6)])
    asked = model.ask(values=values)
    assert (asked["lower"] <= asked["value"]).all()
    assert (asked["value"] <= asked["upper"]).all()
    assert np.ptp(asked["value"]) > 0.1


def test_a_remaining_life_is_never_below_0_nor_above_its_cap():
    trained, _ = model_of("remaining life")
    outputs = np.array([[[-30.0, -40.0, -30.0, -20.0]], [[70.0, 10.0, 60.0, 90.0]]], np.float32)
    value, lower, upper = (each.numpy()[:, 0] for each in scoring.answers(trained, outputs))
    assert value.tolist() == [0, 50]
    assert lower.tolist() == [0, 9.5]
    assert upper.tolist() == [0, 50]


@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("chunks", [[1] * 7, [3, 4], [6, 1]])
def test_a_stream_in_chunks_says_what_the_whole_says(name, chunks):
    trained, model = model_of(name)
    values = small_run.a_sequence(7, 3)
    states = {each: np.zeros([1, 0]) for each in model.inputs["stream"] if each != "chunk"}
    parts = []
    for chunk in np.split(values, np.cumsum(chunks)[:-1]):
        asked = model.ask("stream", chunk=chunk[None], **states)
        states = {each: asked[each] for each in states}
        parts.append(asked["value"][0])
    streamed = np.concatenate(parts)
    if trained.config.target.per == "step":
        whole = model.ask(values=values[None])["value"][0]
    else:  # each answer is that of the sequence up to there
        whole = [model.ask(values=values[None, : at + 1])["value"][0] for at in range(len(values))]
    np.testing.assert_allclose(streamed, whole, rtol=2e-4, atol=2e-4)


def test_a_model_of_both_directions_has_no_stream():
    _, model = model_of("a value a step, both directions")
    assert "stream" not in model.inputs


def test_texts_are_answered_alone_as_in_a_batch():
    _, model = model_of("text")
    texts = ["a fine day", "dull", "", "unknown words, many of them"]
    together = model.ask(text=texts)["value"]
    alone = [model.ask(text=[text])["value"][0] for text in texts]
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)
    assert np.ptp(together) > 0.01


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((1, 0, 2)), "no steps"),
        (np.full((1, 3, 2), np.inf), "infinite"),
        (np.full((1, 3, 2), np.nan), "without any value"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_its_reason(values, told):
    from apps.suite import errors

    _, model = model_of("a value a sequence")
    with pytest.raises(errors.UserError, match=told):
        model.ask(values=values)


def test_an_empty_batch_has_an_empty_answer():
    _, model = model_of("remaining life")
    assert model.ask(values=np.zeros((0, 5, 2)))["value"].shape == (0,)


@pytest.mark.parametrize("name", NUMERIC)
def test_the_scorer_of_evaluation_says_what_is_served(name):
    trained, model = model_of(name)
    arrays = [small_run.a_sequence(steps, steps) for steps in (5, 17, 11)]
    sequences = ragged.of_arrays(arrays, ["a", "b", "c"], small_run.CHANNELS)
    found = scoring.answered(trained, targets.Part(sequences, np.zeros((3, 1)), np.arange(3)))
    rows = [np.reshape(model.ask(values=array[None])["value"], -1) for array in arrays]
    np.testing.assert_allclose(found.value.reshape(-1), np.concatenate(rows), rtol=2e-4, atol=2e-4)
