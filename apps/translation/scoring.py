"""Translates with a trained model, and judges one that is being trained."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from apps.suite.data import pair_sets
from apps.suite.sequences import batches, pair_answers, pair_batches
from apps.suite.texts.pair_files import Pair
from apps.translation import measures, trained_model

_VALIDATED = 400  # validation sources that are translated at a checkpoint


def of_trained(trained: trained_model.TrainedModel) -> pair_answers.Writer:
    """Returns the translator of a trained model."""
    return pair_answers.Writer(trained.model, trained.source, trained.target, trained.length_ratio)


class Validation:
    """Scores a network on validation pairs, as often as it is called, by two graphs.

    Args:
        network: of `model.build`, whose weights change between the calls.
        translator: of the same network.
        pairs: of the validation part.
        encoded: the same pairs.
    """

    def __init__(
        self,
        network: keras.Model,
        translator: pair_answers.Writer,
        pairs: Sequence[Pair],
        encoded: pair_batches.Encoded,
    ) -> None:
        self._translator, self._encoded = translator, encoded
        step = max(1, len(pairs) // _VALIDATED)
        self._pairs = pair_sets.by_source(pairs)[::step][:_VALIDATED]
        spec = tf.TensorSpec([None, None], tf.int32)
        self._nats = tf.function(
            lambda source, following: tf.reduce_sum(
                pair_answers.scored(network, source, following).nats
            ),
            autograph=False,
            input_signature=[spec, spec],
        )

    def __call__(self) -> dict[str, float]:
        """Returns the mean nats of a token, and BLEU of greedy translations of some sources."""
        nats = 0.0
        for chosen in batches.in_order(self._encoded.lengths[1], pair_answers.ROWS):
            source, _, following = pair_batches.padded(self._encoded, chosen)
            nats += float(self._nats(source, following))
        answers = self._translator([each.source for each in self._pairs], 1, 0.0)
        bleu = measures.bleu(answers.texts, [each.targets for each in self._pairs])
        return {"loss": nats / max(1, len(self._encoded.targets)), "bleu": bleu}
