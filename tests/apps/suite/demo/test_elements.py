"""What the page shows is escaped, and a handler that fails says so instead of a traceback."""

import pytest

from apps.suite import errors
from apps.suite.demo import elements

NASTY = "<script>alert('x')</script>&"
ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;"


@pytest.mark.parametrize(
    "shown",
    [
        elements.note(NASTY),
        elements.heading(NASTY, NASTY),
        elements.bars([NASTY], [1.0], NASTY),
        elements.table([NASTY], [[NASTY]], NASTY),
        elements.preformatted(NASTY, NASTY),
    ],
)
def test_nothing_from_a_model_or_a_user_becomes_markup(shown):
    assert "<script" not in shown
    assert ESCAPED in shown


def test_bars_are_ordered_and_say_what_they_leave_out():
    shown = elements.bars(["a", "b", "c"], [0.2, 0.7, 0.1], "title", most=2)
    assert shown.index(">b<") < shown.index(">a<")
    assert ">c<" not in shown
    assert "70.0 %" in shown
    assert "1 less likely ones are not shown" in shown


def test_a_long_table_says_how_many_rows_it_leaves_out():
    assert "50 more are not shown" in elements.table(["n"], [[at] for at in range(250)], "rows")


def test_what_a_user_can_mend_is_a_note_and_nothing_on_the_terminal(capsys):
    @elements.answered
    def handler(given):
        raise errors.UserError(f"no {given}")

    assert handler("wav & mp4") == elements.note("no wav & mp4", "wrong")
    assert capsys.readouterr().err == ""


def test_a_mistake_of_ours_is_a_note_without_the_traceback_which_the_terminal_gets(capsys):
    @elements.answered
    def handler():
        return {}["key"]

    assert "KeyError" in handler()
    assert "Traceback" not in handler()
    assert "Traceback" in capsys.readouterr().err


def test_a_field_that_cannot_be_filled_gets_a_note_beside_it_that_stays(capsys):
    @elements.filled
    def handler(given):
        if given is None:
            raise errors.UserError("nothing is given")
        return given

    follow = elements.if_filled(lambda value: f"<p>{value}</p>")
    assert handler("a") == ("a", "")
    assert follow(*handler("a")) == "<p>a</p>"
    value, said = handler(None)
    assert value is None
    assert follow(value, said) == elements.note("nothing is given", "wrong")
    assert capsys.readouterr().err == ""


def test_what_was_written_before_an_error_stays():
    @elements.streamed
    def handler():
        yield "<p>one</p>"
        raise errors.UserError("the server is gone")

    *_, last = handler()
    assert last.endswith("<p>one</p>")
    assert "the server is gone" in last


def test_a_picture_comes_for_light_and_dark_pages_with_words_for_who_cannot_see_it():
    shown = elements.picture("title", "a line & more", lambda axes, _: axes.plot([1, 2]), 2.0)
    assert shown.count("data:image/png;base64,") == 2
    assert shown.count('alt="a line &amp; more"') == 2
    assert 'class="on-dark"' in shown
