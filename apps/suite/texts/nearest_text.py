"""Recalls the answer to the nearest text that is known, by cosines of TF-IDF values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.suite.texts.pair_files import Pair

_ROWS = 256  # sources that are compared with all others at once


class Recalled(NamedTuple):
    """Translations of the nearest training sources, and how near these are, 0 to 1."""

    texts: list[str]
    similarity: np.ndarray
    sources: list[str]


def nearest(train: Sequence[Pair], sources: Sequence[str], *, by_letters: bool) -> Recalled:
    """Returns the translation of the training source with the nearest TF-IDF values.

    Args:
        train: to recall from.
        sources: to translate.
        by_letters: compares runs of 2 to 4 letters, else words and pairs of words.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    kind: dict[str, Any] = (
        {"analyzer": "char_wb", "ngram_range": (2, 4)} if by_letters else {"ngram_range": (1, 2)}
    )
    pattern = None if by_letters else r"\w+|[^\w\s]"
    vectorizer = TfidfVectorizer(token_pattern=pattern, dtype=np.float32, **kind)
    known = vectorizer.fit_transform([pair.source for pair in train])
    asked = vectorizer.transform(list(sources))
    best, near = [], []
    for start in range(0, asked.shape[0], _ROWS):
        products = (asked[start : start + _ROWS] @ known.T).tocsr()
        for row in range(products.shape[0]):
            values = products.getrow(row)
            at = int(values.data.argmax()) if values.nnz else 0
            best.append(int(values.indices[at]) if values.nnz else 0)
            near.append(min(1.0, float(values.data[at])) if values.nnz else 0.0)
    chosen = [train[at] for at in best]
    return Recalled(
        [each.target for each in chosen], np.array(near), [each.source for each in chosen]
    )
