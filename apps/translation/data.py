"""Loads pairs of texts in three parts, and makes batches of numbers of them."""

from __future__ import annotations

import typing

from apps.suite.data import pair_sets
from apps.translation import config as configs

if typing.TYPE_CHECKING:
    import tensorflow as tf

    from apps.suite.sequences import pair_batches
    from apps.suite.texts import subwords

DEFAULT = "grammar_sentences"
_SEED = 43  # beside the run's, so that no other draw repeats the batches


def load(config: configs.Config) -> pair_sets.Corpus:
    """Reads, normalises and divides the pairs of `config.data`; raises as `pair_sets.load`."""
    settings = config.data_format
    rules = pair_sets.Rules(
        (settings.source_language, settings.target_language),
        {"validation": settings.validation_fraction, "test": settings.test_fraction},
        settings.most_of_a_part,
        config.seed,
        settings.reverse,
        settings.allow_copies,
        settings.drop_unlike,
    )
    return pair_sets.load(config.data or DEFAULT, rules)


def preprocess(texts: tf.Tensor, vocabulary: subwords.Subwords) -> tf.RaggedTensor:
    """Encodes texts string[b] as ids int32 [b, (pieces)] with END, as the export does."""
    from apps.suite.sequences import pair_batches

    return pair_batches.with_end(texts, vocabulary)


def batches(
    encoded: pair_batches.Encoded, config: configs.Config, first_step: int = 0
) -> tf.data.Dataset:
    """Yields ({"source", "target"}, following) without end; see `pair_batches.batches`."""
    from apps.suite.sequences import pair_batches

    return pair_batches.batches(
        encoded, config.training.batch_size, (config.seed, _SEED), first_step
    )
