import dataclasses
import json

import numpy as np
import pytest

from apps.sequence_regression import config as configs
from apps.sequence_regression import data, targets
from apps.suite import errors
from apps.suite.sequences.config import SequenceFormatConfig


def config(path, training=None, **target):
    return configs.Config(
        preset="tiny",
        data=str(path),
        target=configs.TargetConfig(**target),
        model=configs.ModelConfig(layer="lstm", units=4),
        training=configs.TrainingConfig(
            **{"batch_size": 4, "steps": 4, "steps_per_checkpoint": 2, **(training or {})}
        ),
    )


def write(file, rows, header="unit,cycle,a,b,target"):
    file.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return file


def units(count=10, target="last", first=1):
    """Rows of units of 21 steps and more; the target is the unit's number."""
    rows = []
    for unit in range(first, first + count):
        steps = 20 + unit
        for cycle in range(1, steps + 1):
            last = cycle == steps
            value = {"last": unit if last else "", "each": unit, "step": 100 * unit + cycle}
            rows.append((f"u{unit}", cycle, unit + cycle / 100, cycle, value[target]))
    return rows


@pytest.mark.parametrize("kind", ["last", "each"])
def test_a_target_stands_in_the_last_row_or_in_all(tmp_path, kind):
    corpus = data.load(config(write(tmp_path / "a.csv", units(target=kind))))
    for part in (corpus.train, corpus.validation, corpus.test):
        assert [f"u{value:.0f}" for value in part.targets[:, 0]] == list(part.sequences.names)
    assert corpus.channel_names == ("a", "b")
    assert "by sequence, as there are no groups: 6 train, 2 validation, 2 test" in corpus.split


def test_several_targets_and_one_a_step(tmp_path):
    rows = [(*row, -row[4]) for row in units(target="step")]
    file = write(tmp_path / "a.csv", rows, "unit,cycle,a,b,target,other")
    corpus = data.load(config(file, per="step", column=("other", "target")))
    assert corpus.target_names == ("other", "target")
    train = corpus.train
    assert train.targets.shape == (len(train.sequences.values), 2)
    np.testing.assert_array_equal(train.targets[:, 0], -train.targets[:, 1])
    np.testing.assert_array_equal(train.targets[:, 1] % 100, train.sequences.values[:, 1])


def test_groups_are_never_in_two_parts(tmp_path):
    rows = [(*row, f"g{int(row[0][1:]) % 5}") for row in units(20)]
    corpus = data.load(config(write(tmp_path / "a.csv", rows, "unit,cycle,a,b,target,group")))
    parts = (corpus.train, corpus.validation, corpus.test)
    found = [set(part.sequences.groups) for part in parts]
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    assert not found[1] & found[2]
    for part, groups in zip(parts, found, strict=True):
        assert len(set(part.units.tolist())) == len(groups)


def test_json_lines_and_texts_are_read(tmp_path):
    file = tmp_path / "a.jsonl"
    lines = [{"values": [[n, 1], [n, None]], "target": n, "part": part}
             for n, part in enumerate(["train"] * 3 + ["validation", "test"])]  # fmt: skip
    file.write_text("\n".join(map(json.dumps, lines)))
    corpus = data.load(config(file))
    assert corpus.train.targets[:, 0].tolist() == [0, 1, 2]
    texts = write(tmp_path / "b.csv", [(f"text {n}", n) for n in range(10)], "text,value")
    corpus = data.load(config(texts))
    assert corpus.is_text
    read = corpus.test.sequences.texts
    assert [f"text {value:.0f}" for value in corpus.test.targets[:, 0]] == read.tolist()


def test_batches_hold_each_sequence_with_its_target_and_go_on_exactly(tmp_path):
    made = config(write(tmp_path / "a.csv", units()))
    corpus = data.load(made)
    whole = [(v.numpy(), t.numpy()) for v, t in data.batches(corpus, made).take(5)]
    later = [(v.numpy(), t.numpy()) for v, t in data.batches(corpus, made, None, 3).take(2)]
    for (values, wanted), (again, wanted_again) in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(values, again)
        np.testing.assert_array_equal(wanted, wanted_again)
    for values, wanted in whole:
        assert wanted.shape == (4, 1)
        np.testing.assert_allclose(np.floor(values[:, 0, 0]), wanted[:, 0])
        steps = np.isfinite(values[..., 0]).sum(axis=1)
        np.testing.assert_array_equal(steps, 20 + wanted[:, 0])


def test_a_cut_at_another_pace_has_a_target_as_much_longer(tmp_path):
    """Channel b counts the steps, so that the pace can be read off its slope."""
    made = config(write(tmp_path / "a.csv", units(target="each")), paced=True)
    altered = configs.AlterationConfig(speed_deviation=0.3, shortest_share=0.5)
    made = dataclasses.replace(made, alteration=altered)
    paces, lengths = [], []
    for values, wanted in data.batches(data.load(made), made).take(5):
        for row, (target,) in zip(values.numpy(), wanted.numpy(), strict=True):
            kept = row[np.isfinite(row[:, 1])]
            shown = (kept[-1, 1] - kept[0, 1]) / (len(kept) - 1)
            paces.append(target / int(kept[0, 0]))
            lengths.append(len(kept) / (20 + int(kept[0, 0])))
            np.testing.assert_allclose(paces[-1], 1 / shown, rtol=0.1)
    assert max(lengths) <= 1  # a longer copy would give its pace away
    assert np.std(paces) > 0.15
    assert abs(np.corrcoef(paces, lengths)[0, 1]) < 0.9


def test_targets_turn_with_their_channels(tmp_path):
    draw = np.random.default_rng(0)
    rows = []
    for unit in range(10):
        for cycle in range(25):
            x, y, z = draw.normal(size=3)
            rows.append((f"u{unit}", cycle, x, y, z, 2 * x, 2 * y, 2 * z))
    file = write(tmp_path / "a.csv", rows, "unit,cycle,ax,ay,az,x,y,z")
    made = config(file, per="step", column=("x", "y", "z"), turned=True)
    made = dataclasses.replace(made, alteration=configs.AlterationConfig(rotation_degrees=180.0))
    corpus = data.load(made)
    known = {f"{value:.4f}" for value in corpus.train.sequences.values[:, 0]}
    for values, wanted in data.batches(corpus, made).take(3):
        np.testing.assert_allclose(2 * values.numpy(), wanted.numpy(), atol=1e-5)
        found = {f"{value:.4f}" for value in np.ravel(values[..., 0])}
        assert len(found & known) < 0.2 * len(found)


def test_crops_carry_the_targets_of_their_steps(tmp_path):
    file = write(tmp_path / "a.csv", units(target="step"))
    made = config(file, {"crop_steps": 7}, per="step")
    corpus = data.load(made)
    firsts = set()
    for values, wanted in data.batches(corpus, made).take(6):
        assert values.shape == (4, 7, 2)
        np.testing.assert_array_equal(wanted.numpy()[..., 0] % 100, values.numpy()[..., 1])
        firsts |= set(values.numpy()[:, 0, 1].tolist())
    assert len(firsts) > 5


def fleet(tmp_path, **target):
    rows = [row[:4] for row in units(10)]
    file = write(tmp_path / "fleet.csv", rows, "unit,cycle,a,b")
    return config(file, remaining=True, **{"cap": 9.0, "least_steps": 5, **target})


def test_remaining_life_counts_down_to_the_last_row_under_its_cap(tmp_path):
    made = fleet(tmp_path)
    corpus = data.load(made)
    train = corpus.train
    for index in range(len(train.sequences)):
        own = train.targets[train.sequences.rows(index), 0]
        assert own[-11:].tolist() == [9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
        assert (own[:-9] == 9).all()
    assert corpus.target_names == ("remaining",)


def test_held_out_machines_are_cut_while_they_still_ran(tmp_path):
    made = fleet(tmp_path)
    corpus = data.load(made)
    part = corpus.validation
    assert len(part.sequences) == 2 * made.target.cuts
    assert len(set(part.units.tolist())) == 2
    whole = {f"u{unit}": 20 + unit for unit in range(1, 11)}
    for name, steps, left in zip(
        part.sequences.names, part.sequences.lengths, part.targets[:, 0], strict=True
    ):
        assert steps + left == whole[name.split(",")[0]]
        assert steps > 5
        assert left <= 1.25 * 9 + 1
    again = data.load(made).validation
    assert again.sequences.names == part.sequences.names


def test_cycles_that_are_left_out_count(tmp_path):
    rows = [row[:4] for row in units(10) if row[1] % 3]
    made = config(write(tmp_path / "a.csv", rows, "unit,cycle,a,b"), remaining=True, least_steps=3)
    train = data.load(made).train
    cycles = train.sequences.values[train.sequences.rows(0), 1]
    np.testing.assert_array_equal(train.targets[train.sequences.rows(0), 0], cycles[-1] - cycles)


def test_the_number_of_a_step_is_a_channel_where_it_is_asked_for(tmp_path):
    rows = [row[:4] for row in units(10)]
    made = config(write(tmp_path / "a.csv", rows, "unit,cycle,a,b"), remaining=True, least_steps=3)
    made = dataclasses.replace(made, data_format=SequenceFormatConfig(step_channel=True))
    corpus = data.load(made)
    assert corpus.channel_names == ("cycle", "a", "b")
    for part in corpus.parts.values():  # held-out sequences are cut, and keep their numbers
        np.testing.assert_array_equal(part.sequences.values[:, 0], part.sequences.steps)
    nameless = dataclasses.replace(
        made, data_format=SequenceFormatConfig(step_channel=True, step_column="none")
    )
    with pytest.raises(errors.UserError, match="needs a column of the steps"):
        data.load(nameless)


@pytest.mark.parametrize("named", [True, False])
def test_a_second_file_of_machines_that_still_ran_is_the_test(tmp_path, named):
    test = write(tmp_path / "t.csv", [r[:4] for r in units(3, first=50)], "unit,cycle,a,b")
    truths = [("u52", 30), ("u50", 10), ("u51", 20)] if named else [(10,), (20,), (30,)]
    header = "unit,remaining" if named else "remaining"
    file = write(tmp_path / "truths.csv", truths, header)
    corpus = data.load(fleet(tmp_path, test_data=str(test), test_truths=str(file)))
    assert corpus.test.sequences.names == ("u50", "u51", "u52")
    assert corpus.test.targets[:, 0].tolist() == [10, 20, 30]
    assert len(corpus.train.sequences) == 8
    assert corpus.fingerprint != data.load(fleet(tmp_path)).fingerprint


@pytest.mark.parametrize(
    ("truths", "told"),
    [
        ([("u50", 10), ("u51", 20)], "no value for the test sequence 'u52'"),
        ([("u50", 10), ("u51", 20), ("u52", 1), ("u9", 1)], "'u9' is not among"),
        ([("u50", 10), ("u50", 20), ("u51", 1), ("u52", 1)], "'u50' has two values"),
        ([("u50", 10), ("u51", -1), ("u52", 1)], "line 3: remaining must be a number"),
        ([("u50", 10), ("u51", ""), ("u52", 1)], "line 3: remaining must be a number"),
        ([("u50", 10), ("u51", "nil"), ("u52", 1)], "line 3: remaining is 'nil'"),
    ],
)
def test_wrong_truths_are_named(tmp_path, truths, told):
    test = write(tmp_path / "t.csv", [r[:4] for r in units(3, first=50)], "unit,cycle,a,b")
    file = write(tmp_path / "truths.csv", truths, "unit,remaining")
    with pytest.raises(errors.UserError, match=told):
        data.load(fleet(tmp_path, test_data=str(test), test_truths=str(file)))


def changed(rows, at, place, value):
    rows = list(rows)
    rows[at] = (*rows[at][:place], value, *rows[at][place + 1 :])
    return rows


@pytest.mark.parametrize(
    ("rows", "target", "told"),
    [
        (units(target="step"), {}, "the target of 'u1' changes from 101 to 102; .*per step"),
        ([(*row[:4], "") for row in units()], {}, "'u1' has no value of its target"),
        ([(*row[:4], 5) for row in units()], {}, "the target target has one value in training"),
        (changed(units(), 7, 1, 3), {}, "line 9: cycle 3 comes after 7"),
        (changed(units(), 7, 2, "nil"), {}, "line 9: a is 'nil'"),
        (units(), {"column": ("yield",)}, "lacks the column yield"),
        ([row for row in units() if row[1] < 5], {"remaining": True}, "least_steps is 20"),
        ([(*row[:4], -1) for row in units()], {"logarithm": True}, "targets above 0"),
        (units(1), {}, "too few|one group|no sequence is in the part"),
    ],
)
def test_what_cannot_be_learned_is_refused_with_its_place(tmp_path, rows, target, told):
    with pytest.raises(errors.UserError, match=told):
        data.load(config(write(tmp_path / "a.csv", rows), **target))


def test_a_table_without_a_target_says_how_to_name_one(tmp_path):
    file = write(tmp_path / "a.csv", [row[:4] for row in units()], "unit,cycle,a,b")
    with pytest.raises(errors.UserError, match=r"--target.column, or say --target.remaining"):
        data.load(config(file))


def test_a_column_of_a_set_by_name_is_read_or_refused():
    corpus = data.load(config("watch_exercises/tempo_small", column=("target",)))
    assert corpus.target_names == ("target",)
    assert corpus.train.targets.shape == (len(corpus.train.sequences), 1)
    with pytest.raises(errors.UserError, match=r"no_such_feature .* it has .*target"):
        data.load(config("watch_exercises/tempo_small", column=("no_such_feature",)))
    with pytest.raises(errors.UserError, match="one name of a set"):
        data.load(config("watch_exercises/tempo_small", column=("target", "subject")))


def test_sequences_with_labels_and_no_targets_are_refused(tmp_path):
    for label in ("walk", "run"):
        (tmp_path / label).mkdir()
        for number in range(5):
            write(tmp_path / label / f"{label}_{number}.csv", [(1, 2), (3, 4)], "a,b")
    with pytest.raises(errors.UserError, match="has no targets"):
        data.load(config(tmp_path))


def test_channels_that_never_change_are_told(tmp_path):
    rows = [(*row, 7) for row in units()]
    corpus = data.load(config(write(tmp_path / "a.csv", rows, "unit,cycle,a,b,target,still")))
    assert any("nothing is learned from them: still" in note for note in corpus.notes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"target": {"remaining": True}, "model": {"layer": "bilstm"}}, "reads no later step"),
        ({"target": {"cap": 5.0}}, "cap belongs to"),
        ({"target": {"turned": True}}, "needs target.per"),
        ({"target": {"paced": True, "per": "step"}}, "one value a sequence"),
        ({"target": {"remaining": True, "cap": 0.5}}, "at least 1"),
        ({"target": {"remaining": True, "test_data": "a"}}, "needs target.test_truths"),
        ({"target": {"test_truths": "a"}}, "needs target.remaining"),
        ({"target": {"remaining": True, "per": "step"}}, "its own target"),
        ({"training": {"crop_steps": 5}}, "a target for each step"),
        ({"target": {"per": "step"}, "model": {"lag_count": 9}}, "one answer a sequence"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, told):
    kinds = {
        "target": configs.TargetConfig,
        "model": configs.ModelConfig,
        "training": configs.TrainingConfig,
    }
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(
            configs.PRESETS["tiny"], **{name: kinds[name](**each) for name, each in changes.items()}
        )


def test_a_cap_is_a_cap():
    capped = targets.capped(np.array([3.0, 200.0]), configs.TargetConfig(remaining=True, cap=125.0))
    assert capped.tolist() == [3, 125]
