"""English sentences with their French translations, made by the bilingual realiser pyrealb."""

import collections
import csv
import dataclasses
import hashlib
import random
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import tensorflow_datasets as tfds

_WORDS = Path(__file__).with_name("words.tsv")
_PARTS = {"validation": 10, "test": 10}  # share of the pairs of verb and noun, in per cent
_PRONOUNS = (
    ("I", "je", 1, "s", "m"), ("I", "je", 3, "s", "m"), ("I", "je", 3, "s", "f"),
    ("I", "je", 1, "p", "m"), ("I", "je", 2, "p", "m"), ("I", "je", 3, "p", "m"),
)  # fmt: skip
_DETERMINERS = (("the", "le"), ("this", "ce"), ("my", "mon"), ("our", "notre"), ("their", "leur"))
_TENSES = (("past", "ps", "pc"), ("present", "p", "p"), ("future", "f", "f"))
# In a question for the object, "que" loses its vowel before another one; pyrealb leaves it
_WHAT = re.compile(r"^Que (?=est-ce|[aeiouhéêè])", re.IGNORECASE)

Word = tuple[str, str]


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    """A size of the set: pairs of the train part, a tenth of it in each of the others."""

    train_pairs: int = 20_000


class Builder(tfds.core.GeneratorBasedBuilder):
    """One example a sentence; nothing is downloaded, nothing is drawn by chance."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Sentences made by pyrealb 3.3.1."}
    BUILDER_CONFIGS: ClassVar[list[Config]] = [
        Config(name="whole", description="24,000 pairs of sentences."),
        Config(name="few", description="1,200 pairs, for a quick try.", train_pairs=1_000),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"en": text, "fr": text}),
            supervised_keys=("en", "fr"),
            homepage="https://github.com/lapalme/pyrealb",
            license="made by pyrealb: its README names Apache 2.0 for code and CC BY-SA 4.0 for "
            "lexicons, its LICENSE file is GPL 3, its package metadata say MIT",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # the sentences come from an installed package
        train = self.builder_config.train_pairs
        sizes = {"train": train, "validation": train // 10, "test": train // 10}
        return {part: self._generate_examples(part, count) for part, count in sizes.items()}

    def _generate_examples(self, part: str, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (number, example), every English sentence once."""
        words, draw = _words(), random.Random(f"grammar_sentences {part}")
        seen: set[str] = set()
        while len(seen) < count:
            english, french = _sentence(words, draw, part)
            if english not in seen:
                seen.add(english)
                yield len(seen), {"en": english, "fr": french}


def _pyrealb() -> ModuleType:
    """Imports pyrealb, which leaves the files of its lexicons open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        import pyrealb
    return pyrealb


def _words() -> dict[str, list[tuple[str, Word]]]:
    """Returns the words by their kind, each with the rest of its kind."""
    found = collections.defaultdict(list)
    with _WORDS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            kind, _, rest = row["kind"].partition(" ")
            found[kind].append((rest, (row["english"], row["french"])))
    return found


def part_of(verb: str, noun: str) -> str:
    """Returns the part of a pair of a verb and its object, or of a noun and its adjective."""
    number = int.from_bytes(hashlib.sha256(f"{verb} {noun}".encode()).digest()[:4], "big") % 100
    for part, share in _PARTS.items():
        if number < share:
            return part
        number -= share
    return "train"


def _sentence(
    words: dict[str, list[tuple[str, Word]]], draw: random.Random, part: str
) -> tuple[str, str]:
    """Draws a sentence of a part, and realises it in English and in French."""
    p = _pyrealb()
    verbs = words["verb"]
    when, *tenses = draw.choice(_TENSES)
    options: dict[str, Any] = {}
    pattern = draw.choices(("object", "being", "question"), (85, 10, 5))[0]
    if pattern == "being":

        def described() -> tuple[Word, Word]:
            noun = _noun(words, draw)
            return _adjective(words, draw, noun), noun

        adjective, noun = _drawn(described, part)
        subject = _phrase(words, draw, noun, plain=True)
        options = draw.choice(({}, {"neg": True}, {"int": "yon"}))

        def of_being(side: int) -> list[Any]:
            verb = p.V(("be", "être")[side]).t(tenses[side])
            return [subject(side), p.VP(verb, p.A(adjective[side]))]

        return _realised(of_being, options)

    subject, pronoun = _subject(words, draw)
    ending = _ending(words, draw, when)
    if pattern == "question":
        asked, kind = draw.choice((("wad", "thing"), ("wod", "person")))
        verb = draw.choice([word for kinds, word in verbs if kind in kinds.split()])
        thing = _phrase(words, draw, draw.choice(words[kind])[1])

        def of_question(side: int) -> list[Any]:
            verbal = p.VP(p.V(verb[side]).t(tenses[side]), thing(side))
            return [subject(side), verbal, *ending(side)]

        return _realised(of_question, {"int": asked})

    def pair() -> tuple[Word, Word]:
        kinds, verb = draw.choice(verbs)
        named = ("thing", "food", "text") if kinds == "dative" else kinds.split()
        return verb, draw.choice(words[draw.choice(named)])[1]

    verb, noun = _drawn(pair, part)
    dative = ("dative", verb) in verbs
    recipient = _phrase(words, draw, draw.choice(words["person"])[1]) if dative else None
    options = draw.choices(
        ({}, {"neg": True}, {"int": "yon"}, {"mod": "poss"}, {"pas": True}), (45, 20, 20, 8, 7)
    )[0]
    if (options.get("pas") and (pronoun or dative)) or (options.get("mod") and when != "present"):
        options = {}
    # "Not a house" would be "pas de maison": under negation the object is a definite one
    thing = _phrase(words, draw, noun, definite="neg" in options)

    def of_object(side: int) -> list[Any]:
        verbal = [p.V(verb[side]).t(tenses[side]), thing(side)]
        if recipient:
            verbal.append(p.PP(p.P(("to", "à")[side]), recipient(side)))
        return [subject(side), p.VP(*verbal), *ending(side)]

    return _realised(of_object, options)


def _drawn(pair: Callable[[], tuple[Word, Word]], part: str) -> tuple[Word, Word]:
    """Draws until a pair of words belongs to the part."""
    while True:
        one, other = pair()
        if part_of(one[0], other[0]) == part:
            return one, other


def _noun(words: dict[str, list[tuple[str, Word]]], draw: random.Random) -> Word:
    return draw.choice(words[draw.choice(("person", "animal", "thing", "food", "text"))])[1]


def _adjective(words: dict[str, list[tuple[str, Word]]], draw: random.Random, noun: Word) -> Word:
    """Draws an adjective that can be said of a noun: no person is fragile, no lamp is sad."""
    kind = "person" if ("", noun) in words["person"] else "thing"
    return draw.choice([word for kinds, word in words["adjective"] if kind in kinds.split()])


def _phrase(
    words: dict[str, list[tuple[str, Word]]],
    draw: random.Random,
    noun: Word,
    *,
    definite: bool = False,
    plain: bool = False,
) -> Callable[[int], Any]:
    """Draws determiner, number and adjective of a noun; returns the phrase of a language."""
    p = _pyrealb()
    number = draw.choice("ssp")
    adjective = None if plain or draw.random() < 0.6 else _adjective(words, draw, noun)
    determiner = draw.choice(_DETERMINERS)
    if draw.random() < 0.4:
        determiner = _DETERMINERS[0]
    elif not definite and not plain and draw.random() < 0.4:
        determiner = ("a", "un")
    count = draw.randint(2, 9) if number == "p" and determiner == ("a", "un") else 0

    def phrase(side: int) -> Any:
        nominal = [p.A(adjective[side])] if adjective else []
        nominal.append(p.N(noun[side]))
        if count:
            return p.NP(p.NO(count).dOpt({"nat": True}), *nominal)
        name, owner = determiner[side], determiner[0]
        if side == 0 and owner in ("our", "their"):
            head = p.D("my").pe(1 if owner == "our" else 3).ow("p")
        else:
            head = p.D(name).pe(1) if owner in ("my", "our") else p.D(name)
        return p.NP(head, *nominal).n(number)

    return phrase


def _subject(
    words: dict[str, list[tuple[str, Word]]], draw: random.Random
) -> tuple[Callable[[int], Any], bool]:
    """Draws a subject; returns it with whether it is a pronoun."""
    p = _pyrealb()
    kind = draw.choices(("pronoun", "name", "noun"), (35, 20, 45))[0]
    if kind == "pronoun":
        chosen = draw.choice(_PRONOUNS)
        person, number, gender = chosen[2:]
        return lambda side: p.Pro(chosen[side]).pe(person).n(number).g(gender), True
    if kind == "name":
        gender, name = draw.choice(words["name"])
        return lambda side: p.NP(p.Q(name[side])).g(gender), False
    return _phrase(words, draw, draw.choice(words["person"])[1]), False


def _ending(
    words: dict[str, list[tuple[str, Word]]], draw: random.Random, when: str
) -> Callable[[int], list[Any]]:
    """Draws a place, a time, both or neither."""
    p = _pyrealb()
    chosen: list[Word] = []
    if draw.random() < 0.4:
        chosen.append(draw.choice(words["place"])[1])
    if draw.random() < 0.4:
        chosen.append(draw.choice([word for rest, word in words["time"] if rest == when]))
    return lambda side: [p.Q(each[side]) for each in chosen]


def _realised(made: Callable[[int], Sequence[Any]], options: dict[str, Any]) -> tuple[str, str]:
    """Returns the sentence in English and in French."""
    p = _pyrealb()
    texts = []
    for side, load in enumerate((p.loadEn, p.loadFr)):
        load()
        texts.append(" ".join(p.S(*made(side)).typ(options).realize().split()))
    english, french = texts
    french = _WHAT.sub("Qu'", french).replace("oeuf", "œuf").replace("soeur", "sœur")
    return english, french
