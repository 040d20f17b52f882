"""The shelf holds what the export answers, under titles; items are found by their words."""

import numpy as np
import pytest

from apps.recommendation import demo
from apps.suite import errors
from apps.suite.export import asking
from tests.apps.recommendation import small_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(small_exports):
    with asking.exports(small_exports / "recommendation") as (found,):
        yield found


@pytest.fixture(scope="module")
def items(model):
    return demo.Catalogue(model)


def names(places):
    return [place.name for place in places]


def test_the_shelf_is_the_export_s_answer_under_titles(model, items):
    taken = [*small_run.NAMES[:3], small_run.NAMES[7]]
    shelf = demo.recommend(model, items, taken, 5, False)
    answer = model.ask(history=[taken], k=5, exclude_seen=False)
    assert names(shelf) == [name.decode() for name in answer["items"][0]]
    np.testing.assert_allclose([place.score for place in shelf], answer["scores"][0])
    for place in shelf:
        title = small_run.TITLES[small_run.NAMES.index(place.name)]
        assert place.title == (title or place.name)


def test_what_was_taken_is_left_out_on_demand_and_the_order_counts(model, items):
    taken = list(small_run.NAMES[:6])
    every = len(small_run.NAMES)
    assert set(names(demo.recommend(model, items, taken, every, False))) == {*small_run.NAMES}
    left = names(demo.recommend(model, items, taken, every, True))
    assert set(left) == {*small_run.NAMES} - {*taken}
    assert left != names(demo.recommend(model, items, taken[::-1], every, True))


def test_nothing_taken_is_answered_by_popularity(model, items):
    shelf = demo.recommend(model, items, [], 4, True)
    assert names(shelf) == list(small_run.NAMES[:4])
    assert "the most popular" in demo.page(shelf, has_history=False)


def test_items_are_found_by_words_of_title_and_name_in_any_case(items):
    assert [name for _, name in items.found("MÜSLI")] == ["müsli"]
    assert [name for _, name in items.found("words two")] == ["two words"]
    assert [name for _, name in items.found("牛乳")] == ["牛乳"]
    assert items.found("nothing of this kind") == []
    assert [name for _, name in items.found("müsli", kept=["7", "müsli"])] == ["7", "müsli"]
    assert len(items.found("")) == len(small_run.NAMES)


def test_an_item_of_another_model_is_told(model, items):
    with pytest.raises(errors.UserError, match="elsewhere: no item of this model"):
        demo.recommend(model, items, ["elsewhere"], 3, True)


def test_names_are_shown_as_text(items):
    place = demo.Place("<b>x</b>", "<i>y</i>", 1.0)
    assert "<b>" not in demo.page([place], has_history=True)
    assert "<i>" not in demo.page([place], has_history=True)
