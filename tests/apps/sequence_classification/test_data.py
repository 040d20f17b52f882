"""Sequences and texts are divided without leaks, checked, and batched as the config says."""

import dataclasses
import json

import numpy as np
import pytest

from apps.sequence_classification import config as configs
from apps.sequence_classification import data, model
from apps.suite import errors
from apps.suite.data.config import OwnConfig
from apps.suite.sequences.alteration import AlterationConfig

LABELS = ("a", "b", "c10", "c9")


def lines_of(folder, count=60, **more):
    """JSON lines of sequences whose level tells their label."""
    draw = np.random.default_rng(0)
    rows = []
    for number in range(count):
        steps, kind = int(draw.integers(3, 12)), number % len(LABELS)
        values = draw.normal(kind, 0.1, (steps, 2)).round(3).tolist()
        row = {"values": values, "label": LABELS[kind], "group": f"person {number // 5}"}
        rows.append({**row, **{name: make(number, steps) for name, make in more.items()}})
    file = folder / "own.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return file


def config(path, **options):
    training = configs.TrainingConfig(batch_size=8, steps=10, steps_per_checkpoint=10)
    return configs.Config(data=str(path), training=training, **options)


def refused(path, *told, **options):
    with pytest.raises(errors.UserError) as caught:
        data.load(config(path, **options))
    for each in told:
        assert each in str(caught.value), caught.value


def test_groups_stay_whole_and_labels_keep_a_person_s_order(tmp_path):
    corpus = data.load(config(lines_of(tmp_path)))
    assert corpus.label_names == ("a", "b", "c9", "c10")
    groups = [set(part.sequences.groups) for part in corpus.parts.values()]
    assert all(groups)
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & groups[2]
    for part in corpus.parts.values():
        for at, label in enumerate(part.labels):
            level = part.sequences.at(at).mean()
            assert LABELS[round(float(level))] == corpus.label_names[label]


def test_every_group_is_left_out_once(tmp_path):
    path, left_out = lines_of(tmp_path), []
    for fold in range(12):
        corpus = data.load(config(path, own=OwnConfig(folds=12, fold=fold, validation_fold=True)))
        (group,) = set(corpus.test.sequences.groups)
        left_out.append(group)
    assert len(set(left_out)) == 12


def test_the_parts_of_the_data_stay(tmp_path):
    names = ("train", "train", "validation", "test")
    parts = lines_of(tmp_path, part=lambda n, _: names[n // 4 % 4], group=lambda n, _: f"{n}")
    corpus = data.load(config(parts))
    for name, part in corpus.parts.items():
        assert {names[int(group) // 4 % 4] for group in part.sequences.groups} == {name}


def test_labels_by_step_are_asked_for_and_kept(tmp_path):
    by_step = lines_of(
        tmp_path, label=lambda n, steps: [LABELS[(n + at) % 4] for at in range(steps)]
    )
    refused(by_step, "changes inside", "--target.per step")
    corpus = data.load(config(by_step, target=configs.TargetConfig(per="step")))
    assert len(corpus.test.labels) == len(corpus.test.sequences.values)


def test_data_that_cannot_be_learned_are_named(tmp_path):
    refused(lines_of(tmp_path, label=lambda *_: "a"), "two labels", "a")
    only_test = lines_of(
        tmp_path,
        label=lambda n, _: "new" if n % 4 == 3 else "ab"[n // 4 % 2],
        part=lambda n, _: ("train", "validation", "train", "test")[n % 4],
        group=lambda n, _: f"{n}",
    )
    refused(only_test, "'new'", "test", "not in train")
    refused(tmp_path / "none.csv", "no such file")
    refused(lines_of(tmp_path, values=lambda n, steps: [[1.0, None]] * steps), "channel 2")


def test_texts_get_one_label_each(tmp_path):
    file = tmp_path / "own.csv"
    rows = [f"{'good' if n % 2 else 'bad'} film {n},{'+' if n % 2 else '-'}" for n in range(40)]
    file.write_text("text,label\n" + "\n".join(rows) + "\n")
    corpus = data.load(config(file))
    assert corpus.is_text
    assert len(corpus.test.sequences.texts) == len(corpus.test.labels)
    refused(file, "texts", target=configs.TargetConfig(per="step"))
    known = corpus.vocabulary(config(file).text)
    inputs, labels = next(iter(data.batches(corpus, config(file), known)))
    assert inputs["words"].shape[0] == 8
    assert labels.shape == (8, 2)


def test_a_batch_depends_on_seed_and_step_alone(tmp_path):
    made = dataclasses.replace(
        config(lines_of(tmp_path)), alteration=AlterationConfig(noise_deviations=0.5)
    )
    corpus = data.load(made)

    def batch(step, config=made):
        stream = data.batches(corpus, config, None, step)
        return next(iter(stream.skip(0 if step else 3)))

    values, labels = batch(0)
    again, labels_again = batch(3)
    np.testing.assert_array_equal(values, again)
    np.testing.assert_array_equal(labels, labels_again)
    other, _ = batch(3, dataclasses.replace(made, seed=1))
    assert other.shape != values.shape or not np.array_equal(other, values)


def test_long_sequences_are_cut_with_their_labels(tmp_path):
    by_step = lines_of(tmp_path, label=lambda n, steps: [LABELS[n % 4]] * steps)
    made = config(by_step, target=configs.TargetConfig(per="step"))
    training = dataclasses.replace(made.training, longest_steps=4)
    made = dataclasses.replace(made, training=training)
    corpus = data.load(made)
    values, labels = next(iter(data.batches(corpus, made)))
    assert values.shape[:2] == labels.shape[:2]
    assert values.shape[1] <= 4
    there = ~np.isnan(values).all(axis=-1)
    np.testing.assert_array_equal(labels.numpy().sum(axis=-1), there)


def test_the_loss_is_the_cross_entropy_of_what_counts():
    labels = np.zeros((2, 3, 4), np.float32)
    labels[0, 0, 1] = labels[0, 1, 2] = labels[1, 0, 3] = 1
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    found = model.loss(configs.Config())(labels, logits)
    odds = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    wanted = -np.mean(np.log([odds[0, 0, 1], odds[0, 1, 2], odds[1, 0, 3]]))
    assert float(found) == pytest.approx(wanted, rel=1e-5)
    smooth = configs.Config(training=configs.TrainingConfig(label_smoothing=0.2))
    spread = np.mean([np.log(odds[0, 0]), np.log(odds[0, 1]), np.log(odds[1, 0])])
    assert float(model.loss(smooth)(labels, logits)) == pytest.approx(
        0.8 * wanted - 0.2 * spread, rel=1e-5
    )
