"""Tags words by their most frequent tag, and by a CRF of hand-made features (python-crfsuite).

Labels of sentences: the most frequent one, and logistic regression of TF-IDF values of words and
of pairs of words.
"""

from __future__ import annotations

import collections
import tempfile
from collections.abc import Sequence
from pathlib import Path

from apps.suite.sequence_files.sentences import Sentence

FREQUENT, CRFSUITE = "most frequent tag", "crfsuite"
_PASSES = 10  # of the averaged perceptron; more change little


def most_frequent(train: Sequence[Sentence], test: Sequence[Sentence]) -> list[list[str]]:
    """Returns each word's most frequent tag in training; of an unseen word that of all words."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    every: collections.Counter[str] = collections.Counter()
    for sentence in train:
        for word, tag in zip(sentence.words, sentence.tags, strict=True):
            if tag:
                counts[word][tag] += 1
                every[tag] += 1

    def first(found: collections.Counter[str]) -> str:
        return min(found, key=lambda tag: (-found[tag], tag))

    best, other = {word: first(found) for word, found in counts.items()}, first(every)
    return [[best.get(word, other) for word in sentence.words] for sentence in test]


def crfsuite(train: Sequence[Sentence], test: Sequence[Sentence], seed: int) -> list[list[str]]:
    """Returns the tags of a linear-chain CRF over `features`, by the averaged perceptron."""
    import numpy as np
    import pycrfsuite

    trainer = pycrfsuite.Trainer("averaged-perceptron", verbose=False)
    trainer.set_params({"max_iterations": _PASSES})
    # A word without a known tag ends its sentence for the trainer, which knows no gaps
    for at in np.random.default_rng(seed).permutation(len(train)):
        sentence = train[at]
        rows, start = features(sentence.words), 0
        for end in [n for n, tag in enumerate(sentence.tags) if not tag] + [len(rows)]:
            if end > start:
                trainer.append(rows[start:end], sentence.tags[start:end])
            start = end + 1
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "model")
        trainer.train(file)
        tagger = pycrfsuite.Tagger()
        tagger.open(file)
        found = [tagger.tag(features(sentence.words)) for sentence in test]
        tagger.close()
    return found


def features(words: Sequence[str]) -> list[list[str]]:
    """Returns features of each word: itself, its ends, its shape, its neighbours."""
    small = ["<<", "<", *(word.lower() for word in words), ">", ">>"]
    found = []
    for at, word in enumerate(words):
        left, before, here, after, right = small[at : at + 5]
        shape = "".join(
            "X" if c.isupper() else "x" if c.islower() else "9" if c.isdigit() else c for c in word
        )
        row = [
            f"w={here}", f"-1={before}", f"+1={after}", f"-2={left}", f"+2={right}",
            f"-1,0={before} {here}", f"0,+1={here} {after}", f"shape={shape[:6]}",
            *(f"end={here[-size:]}" for size in (1, 2, 3)),
            *(f"begin={here[:size]}" for size in (2, 3)),
        ]  # fmt: skip
        if at + 1 < len(words) and words[at + 1][0].isupper():
            row.append("capital after")
        found.append(row)
    return found


def labels(train: Sequence[Sentence], test: Sequence[Sentence]) -> dict[str, list[str]]:
    """Returns the labels of the test sentences by each baseline."""
    from sklearn import feature_extraction, linear_model, pipeline

    true = [each.label for each in train]
    texts, asked = ([" ".join(each.words) for each in part] for part in (train, test))
    learned = pipeline.make_pipeline(
        feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+"),
        linear_model.LogisticRegression(C=30.0, max_iter=1_000),
    ).fit(texts, true)
    (frequent, _), *_ = collections.Counter(true).most_common(1)
    return {
        FREQUENT: [frequent] * len(test),
        "tf-idf and logistic regression": list(learned.predict(asked)),
    }
