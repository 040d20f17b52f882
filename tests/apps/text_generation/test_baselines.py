import numpy as np
import pytest

from apps.text_generation import baselines, data
from tests.apps.text_generation.test_ngrams import SIZE, random_text


def test_context_pays_where_there_is_one_and_nothing_is_lost_where_there_is_none():
    text = random_text(6000)
    nats = baselines.evaluate(data.Tokens(text[:5000], text[5000:5500], text[5500:]), SIZE)
    (name,) = nats.keys() - {"unigram"}
    choice = -(0.8 * np.log(0.8) + 0.15 * np.log(0.15) + 0.05 * np.log(0.05))
    assert name.endswith("-gram Kneser-Ney")
    assert nats[name].test_nats.mean() == pytest.approx(choice, abs=0.1)
    assert nats["unigram"].test_nats.mean() == pytest.approx(np.log(SIZE), abs=0.05)


def test_test_part_chooses_nothing():
    train, validation, other = random_text(2000), random_text(300, 1), random_text(300, 2)
    noise = np.random.default_rng(3).integers(SIZE, size=300)
    first, second = (
        baselines.evaluate(data.Tokens(train, validation, t), SIZE) for t in (other, noise)
    )
    assert {name: each.validation_nats for name, each in first.items()} == {
        name: each.validation_nats for name, each in second.items()
    }
