"""Text appears bit by bit, and ends as what one request of the same seed answers."""

import itertools

import pytest

from apps.suite import errors
from apps.suite.export import asking
from apps.text_generation import demo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(small_exports):
    with asking.exports(small_exports / "text_generation") as (found,):
        yield found


def continued(model, prompt="In the", length=100, temperature=0.8, seed=3):
    return list(demo.continued(model, prompt, length, temperature, seed))


def test_more_and_more_is_shown_and_the_last_is_the_answer_to_one_request(model):
    parts = continued(model)
    assert len(parts) > 4
    assert all(after.startswith(before) for before, after in itertools.pairwise(parts))
    whole = model.ask(
        prompt=[b"In the"], length=100, temperature=0.8, top_k=0, top_p=1.0, seed=3
    )  # fmt: skip
    assert parts[-1] == whole["text"][0].decode()
    assert len(parts[-1]) == 100


def test_a_seed_repeats_its_text_and_another_one_does_not(model):
    assert continued(model) == continued(model)
    assert continued(model)[-1] != continued(model, seed=4)[-1]
    assert continued(model, temperature=0, seed=1) == continued(model, temperature=0, seed=2)


def test_an_empty_prompt_begins_a_text(model):
    assert len(continued(model, "")[-1]) == 100
    assert "begins a text of its own" in demo.advice(model, " ")


def test_characters_that_the_model_never_read_are_named(model):
    assert "never read ß €" in demo.advice(model, "In € the ß")
    assert demo.advice(model, "In the\nbeginning") == ""


def test_a_beginning_is_some_words_of_the_model_s_own(model):
    for _ in range(3):
        assert len(demo.beginning(model).split()) <= 3


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"length": 1e9}, "length has to be a number from 1 to 1000"),
        ({"length": None}, "length has to be"),
        ({"temperature": -1}, "temperature has to be"),
        ({"temperature": float("nan")}, "temperature has to be"),
        ({"seed": 2**70}, "seed has to be"),
        ({"prompt": "a" * 3_000}, "3,000 characters; give 2,000"),
    ],
)
def test_what_is_out_of_range_is_told(model, given, told):
    with pytest.raises(errors.UserError, match=told):
        continued(model, **given)


def test_markup_in_a_text_stays_text():
    assert "<script" not in demo.page("<script>", "<script>")
