"""Measures of translations: BLEU, chrF, lengths, exact ones, errors of words and of phonemes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.suite.data.pair_sets import Question
from apps.suite.evaluation import segments

_TOKENIZERS = {"zh": "zh", "cmn": "zh", "zho": "zh", "yue": "zh"} | dict.fromkeys(
    ("ja", "jpn", "ko", "kor", "th", "tha"), "char"
)
# Kana, Hangul and Thai; Han, which Japanese writes beside its kana
_SCRIPTS = (
    (re.compile("[\u3041-\u30ff\uac00-\ud7af\u0e01-\u0e5b]"), "char"),
    (re.compile("[\u4e00-\u9fff]"), "zh"),
)
_ONE_WORD = re.compile(r"[\w'.()-]+")
_SAMPLE, _SHARE = 500, 0.2  # texts, share of their characters


def tokenizer_of(language: str, targets: Sequence[str] = ()) -> str:
    """Returns sacreBLEU's cut into words for a language, by its code or by what it writes.

    Args:
        language: code, such as "fr" or "zh-CN"; "" where the data name none.
        targets: texts of the language. Chinese and Japanese have no spaces: cut as English is, a
            whole sentence would count as a word.
    """
    code = language.lower().replace("_", "-").partition("-")[0]
    if code in _TOKENIZERS:
        return _TOKENIZERS[code]
    sample = "".join(targets[:_SAMPLE])
    for script, tokenizer in _SCRIPTS:
        if len(script.findall(sample)) > _SHARE * len(sample):
            return tokenizer
    return "13a"


def by_words(pieces: str, sources: Sequence[str]) -> bool:
    """Returns whether answers are judged as words in phonemes, and not as sentences.

    So it is where letters are the pieces of sources that are single words. A sentence in Chinese
    has no space either.
    """
    if pieces != "character":
        return False
    some = sources[:_SAMPLE]
    foreign = any(script.search(each) for script, _ in _SCRIPTS for each in some)
    return not foreign and sum(map(bool, map(_ONE_WORD.fullmatch, some))) > 0.9 * len(some)


def bleu(answers: Sequence[str], targets: Sequence[Sequence[str]], tokenizer: str = "13a") -> float:
    """Returns BLEU, 0 to 100, against all translations of each source."""
    return float(_bleu(tokenizer).corpus_score(list(answers), _columns(targets)).score)


def of_validation(answers: Sequence[str], questions: Sequence[Question]) -> dict[str, float]:
    """Returns the measure by which the best weights are chosen."""
    return {"bleu": bleu(answers, [each.targets for each in questions])}


def signature(answers: Sequence[str], targets: Sequence[Sequence[str]], tokenizer: str) -> str:
    """Returns sacreBLEU's signature of `bleu`, which another tool can be set by."""
    metric = _bleu(tokenizer)
    metric.corpus_score(list(answers), _columns(targets))
    return str(metric.get_signature())


def _bleu(tokenizer: str) -> Any:
    import sacrebleu

    # Forced: the texts are what the model writes, and nothing is printed about their full stops
    return sacrebleu.BLEU(tokenize=tokenizer, force=True)


def _columns(targets: Sequence[Sequence[str]]) -> Any:
    """Returns the first translations of all sources, the second ones, …; None where there is none.

    The number of columns is that of the source with the most.
    """
    most = max(map(len, targets))
    return [[each[at] if at < len(each) else None for each in targets] for at in range(most)]


def scores(
    answers: Sequence[str],
    questions: Sequence[Question],
    tokenizer: str,
    *,
    by_words: bool,
) -> dict[str, float]:
    """Returns the measures of answers to questions.

    Args:
        answers: to the questions, in their order.
        questions: with their right answers.
        tokenizer: of sacreBLEU.
        by_words: an answer is a word in phonemes: its errors are counted, too.
    """
    import sacrebleu

    targets = [each.targets for each in questions]
    exact = np.mean([one in right for one, right in zip(answers, targets, strict=True)])
    near = [
        min(right, key=lambda each: (abs(len(each) - len(one)), each))
        for one, right in zip(answers, targets, strict=True)
    ]
    found = {
        "bleu": bleu(answers, targets, tokenizer),
        "chrf": float(sacrebleu.CHRF().corpus_score(list(answers), _columns(targets)).score),
        "length_ratio": sum(map(len, answers)) / max(1, sum(map(len, near))),
        "exact": float(exact),
    }
    if by_words:
        errors = [
            min((segments.distance(one.split(), each.split()), len(each.split())) for each in right)
            for one, right in zip(answers, targets, strict=True)
        ]
        found["word_error"] = 1.0 - float(exact)
        found["phoneme_error"] = sum(e for e, _ in errors) / max(1, sum(n for _, n in errors))
    return found


def primary(*, by_words: bool) -> tuple[str, bool]:
    """Returns the name of the first measure, and whether higher is better."""
    return ("word_error", False) if by_words else ("bleu", True)


def sentence_chrf(answer: str, targets: Sequence[str]) -> float:
    """Returns chrF of one answer, 0 to 100, by which answers are sorted."""
    import sacrebleu

    return float(sacrebleu.CHRF().sentence_score(answer, list(targets)).score)
