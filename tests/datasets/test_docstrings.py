import sys

import pytest

from apps.suite.data import named_sets


@pytest.fixture(scope="module")
def module():
    """The builder's file."""
    named_sets._register("docstrings")
    return sys.modules["docstrings_dataset_builder"]


TEXT = "It keeps the one that stands before it, and forgets what is neither the first nor the last."


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        (f"Returns the\nlast state.\n\n{TEXT}", (TEXT, "Returns the last state.")),
        (
            f"Returns the `last` state of :class:`~a.B`.\n\n{TEXT}\n\nArgs:\n  x: a **row**.",
            (f"{TEXT} x: a row.", "Returns the last state of a.B."),
        ),
        (f"Returns the last state.\n\n{TEXT}\n\nExamples\n--------\n>>> f(1)\n2", None),
        (f"Returns the last state.\n\n```\nf(1)\n```\n\n{TEXT}\n\n.. note::\n", None),
        (f"Returns it.\n\n{TEXT}", "short"),
        ("Returns the last state.\n\nToo short a text.", "short"),
        ("Returns the last state.", "short"),
        ("", "short"),
    ],
)
def test_the_first_paragraph_sums_up_the_prose_after_it(module, docstring, expected):
    if expected is None:
        expected = (TEXT, "Returns the last state.")
    found = module.divided(docstring)
    assert found == (None if expected == "short" else expected)


def test_the_first_of_pairs_that_repeat_each_other_is_kept(module):
    def pair(text, summary):
        return module.Pair(text, summary, "", "", "g", "p", "l")

    words = [f"word{number}" for number in range(40)]
    first = pair(" ".join(words), "Returns one thing.")
    found = [
        first,
        pair("Something else altogether, which nobody has written before.", "returns ONE thing"),
        pair(" ".join(["new", *words[1:]]), "Returns another thing."),
        other := pair(" ".join(words[30:] + words[:10][::-1] * 2), "Returns a third thing."),
    ]
    assert module.distinct(iter(found)) == [first, other]


def test_names_are_written_in_words(module):
    assert module._in_words(("keras", "LSTMCell", "get_config")) == "keras lstm cell get config"


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        yield named_sets.prepare("docstrings/few")


@pytest.mark.slow
def test_modules_lie_on_one_side_and_packages_are_not_imported(builder):
    parts = {
        part: list(builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator())
        for part in ("train", "validation", "test")
    }
    assert len(parts["train"]) > 300
    assert min(map(len, parts.values())) > 10
    groups = [{row["group"] for row in rows} for rows in parts.values()]
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & groups[2]
    for row in (each for rows in parts.values() for each in rows):
        assert 3 <= len(row["summary"].split()) <= 25
        assert 15 <= len(row["text"].split()) <= 200
        assert (
            row["title"].split()[0] in row["package"].replace(b"scikit-learn", b"sklearn").lower()
        )
    packages = {row["package"].split()[0] for rows in parts.values() for row in rows}
    assert packages == {
        b"keras", b"matplotlib", b"nltk", b"numpy", b"scikit-learn", b"tensorflow",
        b"tensorflow-datasets",
    }  # fmt: skip


@pytest.mark.slow
def test_set_describes_itself(builder):
    info = builder.info
    assert "docstring" in info.description.lower()
    assert "PEP 257" in info.citation
    assert "numpy: BSD-3-Clause" in info.redistribution_info.license
    assert not info.download_size
