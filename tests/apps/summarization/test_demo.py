"""The demo tab answers with the summary and its words, and says what it cannot take."""

import pytest

from apps.suite import errors
from apps.suite.demo import asked_text
from apps.suite.export import asking
from apps.summarization import demo, serving
from tests.apps.summarization import small_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return asking.of_served("summarization", serving.ServedSummaries(small_run.trained()))


def test_the_page_shows_the_summary_the_text_and_the_pieces(model):
    answer = demo.summed_up(model, f"  {small_run.TEXTS[0]}\n", 5)
    assert 1 <= len(answer.summary.split()) <= 5
    page = demo.page(answer)
    for part in (answer.summary, "forgets", "Where the pieces come from", f"{answer.score:.2f}"):
        assert part in page


@pytest.mark.parametrize(
    ("text", "told"), [(None, "no text yet"), ("  ", "no text yet"), ("a" * 20_001, "20,001")]
)
def test_no_text_and_too_long_a_text_are_told(model, text, told):
    with pytest.raises(errors.UserError, match=told):
        demo.summed_up(model, text, 5)


def test_the_tab_begins_with_the_test_text_that_the_run_kept():
    trained = small_run.trained()._replace(example=small_run.TEXTS[1])
    kept = asking.of_served("summarization", serving.ServedSummaries(trained))
    assert asked_text.example(kept, "otherwise") == small_run.TEXTS[1]
