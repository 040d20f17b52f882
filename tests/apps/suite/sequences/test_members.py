"""Members answer with their mean, and none of them learns from its fold."""

import dataclasses

import keras
import numpy as np

from apps.sequence_regression import config as configs
from apps.sequence_regression import data, model, scoring
from apps.suite.sequences import encoded_inputs, members

MEMBERS = 3


def corpus_of(tmp_path):
    """Returns twenty sequences of five groups, and their config."""
    draw = np.random.default_rng(0)
    lines = ["sequence,group,step,x,target"]
    for number in range(20):
        lines += [
            f"s{number},g{number % 5},{step},{draw.normal():.3f},{number}" for step in range(4)
        ]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    made = configs.Config(
        data=str(tmp_path / "a.csv"),
        model=configs.ModelConfig(units=3, dropout=0.0),
        training=configs.TrainingConfig(batch_size=10, members=MEMBERS),
    )
    return data.load(made), made


def joined(made):
    keras.utils.set_random_seed(0)
    scale = np.zeros(1), np.ones(1)
    return members.joined(lambda _: model.build(made, encoded_inputs.Inputs(1), scale), MEMBERS)


def test_the_answer_is_the_mean_of_the_members_which_share_its_weights(tmp_path):
    _, made = corpus_of(tmp_path)
    learner, answering = joined(made)
    values = np.random.default_rng(1).normal(size=(4, 6, 1)).astype(np.float32)
    found = learner(values).numpy()
    assert found.shape == (4, MEMBERS, 1, 4)
    np.testing.assert_allclose(answering(values), found.mean(axis=1), rtol=1e-5, atol=1e-6)
    assert np.ptp(found, axis=1).min() > 0  # they began with weights of their own
    for weight in learner.weights:
        weight.assign(weight + 0.1)
    np.testing.assert_allclose(answering(values), learner(values).numpy().mean(axis=1), atol=1e-5)
    assert [each.name for each in members.of(answering)] == ["member_0", "member_1", "member_2"]


def test_folds_hold_whole_groups_of_train_and_validation_and_nothing_of_the_test(tmp_path):
    corpus, _ = corpus_of(tmp_path)
    found = corpus.learning
    names = {*corpus.train.sequences.names, *corpus.validation.sequences.names}
    assert set(found.learned.sequences.names) == names
    assert not names & set(corpus.test.sequences.names)
    fold_of = dict(zip(found.learned.sequences.names, found.fold_of, strict=True))
    for name, group in zip(
        found.learned.sequences.names, found.learned.sequences.groups, strict=True
    ):
        assert fold_of[name] == fold_of[next(n for n in names if int(n[1:]) % 5 == int(group[1:]))]
    assert {*found.member_of} == {0, 1, 2}
    for name, member in zip(found.validation.sequences.names, found.member_of, strict=True):
        assert fold_of[name] == member


def test_a_member_never_learns_from_its_fold_and_the_others_do(tmp_path):
    corpus, made = corpus_of(tmp_path)
    fold_of = corpus.learning.fold_of
    target_of = corpus.learning.learned.targets[:, 0]
    seen = 0
    for _, targets in data.batches(corpus, made).take(4):
        assert targets.shape == (10, MEMBERS, 1)
        for row in targets.numpy()[..., 0]:
            known = row[np.isfinite(row)]
            fold = fold_of[np.flatnonzero(target_of == known[0])[0]]
            assert (known == known[0]).all()
            assert [*np.flatnonzero(np.isnan(row))] == ([fold] if fold < MEMBERS else [])
            seen += fold < MEMBERS
    assert seen


def test_the_validation_part_is_answered_by_the_members_that_have_not_seen_it(tmp_path):
    corpus, made = corpus_of(tmp_path)
    _, answering = joined(made)
    parts = corpus.learning
    found = members.held_out(answering, parts, lambda each: scoring.scorer(each, made))()
    for number, member in enumerate(members.of(answering)):
        of_one = scoring.scorer(member, made)(parts.validation.sequences)
        chosen = parts.member_of == number
        np.testing.assert_allclose(found[chosen], of_one[chosen], rtol=1e-4, atol=1e-5)
        assert chosen.any()


def test_with_fewer_groups_than_members_the_folds_are_as_many_as_the_groups(tmp_path):
    _, made = corpus_of(tmp_path)
    many = dataclasses.replace(made.training, members=7)
    found = data.load(dataclasses.replace(made, training=many)).learning
    assert {*found.fold_of} == set(range(4))


def test_one_network_learns_from_the_train_part_alone(tmp_path):
    _, made = corpus_of(tmp_path)
    alone = dataclasses.replace(made.training, members=1)
    corpus = data.load(dataclasses.replace(made, training=alone))
    assert corpus.folds is None
    assert corpus.learning.learned is corpus.train
    assert corpus.learning.validation is corpus.validation
