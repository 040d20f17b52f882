import collections

import numpy as np
import pytest

from apps.text_generation import ngrams

SIZE = 5


def random_text(tokens, seed=0):
    """Text in which a token depends on the two before it."""
    generator = np.random.default_rng(seed)
    text = [0, 1]
    for _ in range(tokens - 2):
        text.append((text[-1] + 2 * text[-2] + generator.choice(3, p=[0.8, 0.15, 0.05])) % SIZE)
    return np.array(text, np.int32)


def probabilities(train, sequences, order):
    *_, learned = ngrams.learn(train, sequences, SIZE, order)
    return learned


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("context", [[1, 2, 3], [0, 0, 0], [4, 2], [4, 4, 4, 4, 4, 4]])
def test_probabilities_of_all_tokens_after_a_context_sum_to_one(order, context):
    every = [np.array([*context, token]) for token in range(SIZE)]
    # The text lacks token 4, which shares what is left for the unseen.
    train = random_text(400)
    scored = probabilities(train[train < 4], [random_text(100, 1), *every], order)
    last = [sequence[-1] for sequence in scored.sequences[1:]]
    assert min(last) > 0
    assert sum(last) == pytest.approx(1)


def counted_by_hand(train, context, token, order, strength):
    """The recursion of the module's docstring, from dictionaries of tuples."""
    train = (*["gap"] * order, *train)
    grams = [
        train[end - order + 1 : end + 1] for end in range(order, len(train)) if train[end] != "gap"
    ]

    def probability(counts, length, strength):
        if length == 0:
            return 1 / SIZE
        n = collections.Counter(counts.values())
        if all(n[k] for k in (1, 2, 3, 4)):
            ratio = n[1] / (n[1] + 2 * n[2])
            discounts = [0, *(k - (k + 1) * ratio * n[k + 1] / n[k] for k in (1, 2, 3))]
            discounts = [min(max(discount, 0), k) for k, discount in enumerate(discounts)]
        else:
            discounts = [0, 0.5, 0.5, 0.5]
        # How many tokens longer than one an n-gram is decides which context it is seen in.
        shorter = collections.Counter(gram[1:] for gram in counts)
        lower = probability(shorter, length - 1, 0)
        history = tuple(context[len(context) - length + 1 :])
        after = {gram: count for gram, count in counts.items() if gram[:-1] == history}
        if not after:
            return lower
        taken = sum(discounts[min(count, 3)] for count in after.values())
        count = after.get((*history, token), 0)
        kept = count - discounts[min(count, 3)]
        return (kept + (taken + strength) * lower) / (sum(after.values()) + strength)

    return probability(collections.Counter(grams), order, strength)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_those_of_a_plain_count(order):
    train, held_out = random_text(300), random_text(40, seed=1)
    scored = probabilities(train, [held_out], order)
    for place in range(order, 40):
        context = held_out[:place]
        expected = counted_by_hand(train, context, held_out[place], order, scored.model.strength)
        assert scored.sequences[0][place - 1] == pytest.approx(expected, rel=1e-9)


def test_only_the_first_sequence_chooses():
    train, validation, other = random_text(2000), random_text(300, 1), random_text(300, 2)
    noise = np.random.default_rng(3).integers(SIZE, size=300)
    for first, second in zip(
        ngrams.learn(train, [validation, other], SIZE, 6),
        ngrams.learn(train, [validation, noise], SIZE, 6),
        strict=True,
    ):
        assert first.model.strength == second.model.strength
        np.testing.assert_array_equal(first.sequences[0], second.sequences[0])


def test_sequences_do_not_see_each_other():
    train, first, second = random_text(500), random_text(50, 1), random_text(50, 2)
    behind_one = probabilities(train, [first, second], 4).sequences[1]
    behind_two = probabilities(train, [first, second[:7], second], 4).sequences[2]
    np.testing.assert_allclose(behind_one, behind_two, rtol=1e-12)
