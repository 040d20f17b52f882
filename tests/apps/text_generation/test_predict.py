"""What a person asks for is what is printed; what cannot be is refused in one line."""

import io
import json

import pytest

from apps.suite.serving import server as model_server
from apps.text_generation import predict

# Of Keras, when it saves a model
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def ask(capsys, *arguments):
    """Exit status, standard output, standard error."""
    status = predict.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def texts(capsys, *arguments):
    status, out, err = ask(capsys, *arguments, "--json")
    assert (status, err) == (0, "")
    return [json.loads(line)["text"] for line in out.splitlines()]


def test_a_seed_gives_the_same_text_again_with_other_prompts_and_from_the_export(
    capsys, run, exported
):
    options = ["--length", 40, "--temperature", 0.9, "--top_p", 0.95, "--seed", 7]
    first, second = texts(capsys, "--run", run, "God", "In the ", *options)
    assert len(first) == len(second) == 40
    assert texts(capsys, "--run", run, "In the ", *options) == [second]
    assert texts(capsys, "--model", exported, "God", "In the ", *options) == [first, second]
    assert texts(capsys, "--run", run, "God", *options, "--seed", 8) != [first]
    status, out, _ = ask(capsys, "--run", run, "God", *options)
    assert (status, out) == (0, f"God{first}\n")


def test_the_text_ends_right_after_the_stop(capsys, run):
    options = ["--run", run, "God", "--length", 60, "--temperature", 1.5]
    (whole,) = texts(capsys, *options)
    stop = whole[30:33]  # over the border of what one call generates
    (cut,) = texts(capsys, *options, "--stop", stop)
    assert cut == whole[: whole.index(stop) + 3]
    assert texts(capsys, *options, "--stop", "☃") == [whole]


@pytest.mark.parametrize(
    "pieces", [["abcde"], ["abc", "de"], ["a", "b", "c", "d", "e"], ["ab", "", "cde"]]
)
def test_a_stop_is_found_however_the_text_comes(pieces):
    assert "".join(predict._until(iter(pieces), "cd")) == "abcd"
    assert "".join(predict._until(iter(pieces), "")) == "abcde"


def test_beams_of_one_candidate_are_greedy(capsys, run):
    options = ["--run", run, "God", "--length", 20]
    greedy = texts(capsys, *options, "--temperature", 0)
    assert texts(capsys, *options, "--beam_width", 1) == greedy
    penalised = texts(capsys, *options, "--temperature", 0, "--repetition_penalty", 1.5)
    assert penalised != greedy


def test_a_prompt_comes_from_standard_input_without_its_last_line_feed(capsys, run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("In the \n"))
    status, out, _ = ask(capsys, "--run", run, "--length", 5, "--json")
    assert status == 0
    answer = json.loads(out)
    assert answer["prompt"] == "In the "
    assert [answer["text"]] == texts(capsys, "--run", run, "--length", 5, "In the ")


def test_an_empty_prompt_is_answered(capsys, run, exported):
    (text,) = texts(capsys, "--run", run, "", "--length", 5)
    assert len(text) == 5
    assert texts(capsys, "--model", exported, "", "--length", 5) == [text]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["In thé"], "'é', at character 6"),
        (["God", "bad \udcff"], "UTF-8"),
        (["x", "--length", -1], "--length must be at least 0"),
        (["x", "--temperature", -1], "--temperature must be at least 0"),
        (["x", "--temperature", "nan"], "--temperature must be"),
        (["x", "--top_k", -1], "--top_k must be"),
        (["x", "--top_p", 0], "--top_p must be above 0"),
        (["x", "--top_p", 1.01], "--top_p must be above 0 and at most 1"),
        (["x", "--repetition_penalty", 0], "--repetition_penalty must be above 0"),
        (["x", "--beam_width", -2], "--beam_width must be"),
        (["x", "--seed", 2**63], "--seed must be"),
        (["x", "--model", "1", "--beam_width", 2], "need --run"),
    ],
)
def test_what_cannot_be_is_one_line(capsys, run, arguments, told):
    status, out, err = ask(capsys, "--run", run, *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_folders_without_a_run_or_an_export_are_one_line(capsys, tmp_path, exported):
    for arguments in (
        ["--run", tmp_path / "none"],
        ["--model", tmp_path],
        ["--model", exported.parent],
    ):
        status, out, err = ask(capsys, "God", *arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("rest", [False, True])
def test_a_server_says_the_same_as_its_export(capsys, run, exported, rest):
    options = ["--length", 20, "--temperature", 0.9, "--seed", 7]
    expected = texts(capsys, "--model", exported, "God", "In the ", *options)
    with model_server.serving(
        model_server.Options(models=exported.parents[1], rest_port=0, grpc_port=0)
    ) as served:
        capsys.readouterr()
        port = served.rest_port if rest else served.grpc_port
        address = f"{'http://' if rest else ''}127.0.0.1:{port}"
        assert texts(capsys, "--server", address, "God", "In the ", *options) == expected
    status, out, err = ask(capsys, "God", "--server", "nowhere")
    assert (status, out) == (2, "")
    assert "needs HOST:PORT" in err
