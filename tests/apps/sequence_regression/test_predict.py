import json

import pytest

from apps.sequence_regression import predict
from apps.suite import errors
from tests.apps.sequence_regression import small_inputs, small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet") / "run"
    small_run.write(folder)
    return folder


def test_a_fleet_comes_in_the_order_of_urgency(run, tmp_path, capsys):
    file = small_inputs.fleet(tmp_path, (12, 30, 21, 15, 9))
    assert predict.main([str(file), "--run", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert sorted(line.split("  ")[0] for line in lines) == [f"engine {at}" for at in range(1, 6)]
    lives = [float(line.split()[2]) for line in lines]
    assert lives == sorted(lives)
    for line in lines:
        _, _, value, lower, _, upper = line.split()
        assert float(lower) <= float(value) <= float(upper)


def test_every_step_is_that_of_the_sequence_so_far(run, tmp_path, capsys):
    file = small_inputs.fleet(tmp_path, (12, 30))
    told = []
    for more in ([], ["--every_step"]):
        assert predict.main([str(file), "--run", str(run), "--json", *more]) == 0
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        told.append({line["input"]: line for line in lines})
    last, courses = told
    for name, answer in last.items():
        assert len(courses[name]["value"]) == answer["steps"]
        assert courses[name]["value"][-1] == pytest.approx(answer["value"], abs=1e-3)
        assert courses[name]["upper"][-1] == pytest.approx(answer["upper"], abs=1e-3)


def test_the_course_is_drawn(run, tmp_path):
    file, plot = small_inputs.fleet(tmp_path), tmp_path / "course.png"
    arguments = [str(file), "--run", str(run), "--every_step", "--plot", str(plot)]
    assert predict.main(arguments) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_course_without_steps_says_what_to_add(run, tmp_path):
    options = [
        str(small_inputs.fleet(tmp_path)),
        "--run",
        str(run),
        "--plot",
        str(tmp_path / "a.png"),
    ]
    assert predict.main(options) == 2
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("flow", "flux"), "lacks the column flow"),
        (("engine 1,2,", "engine 1,1,"), "line 3: cycle 1 comes twice"),
        (("engine 2,1,", "engine 2,1,x"), "line 14: flow is 'x"),
    ],
)
def test_a_fleet_that_cannot_be_read_is_one_line_with_its_place(run, tmp_path, change, told):
    file = small_inputs.fleet(tmp_path)
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(errors.UserError, match=told):
        list(predict.predict(predict.Options((str(file),), run)))


def test_texts_are_files_or_texts(tmp_path, capsys):
    small_run.write(tmp_path / "run", small_run.trained(**small_run.KINDS["text"]))
    (tmp_path / "a.csv").write_text("text\na fine day\na dull day\n")
    asked = ["a fine day", str(tmp_path / "a.csv")]
    assert predict.main([*asked, "--run", str(tmp_path / "run"), "--json"]) == 0
    first, again, other = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["value"] == pytest.approx(again["value"], abs=1e-4)
    assert first["value"] != other["value"]


def test_every_step_of_a_model_of_both_directions_is_refused(tmp_path, capsys):
    made = small_run.trained(layer="bilstm")
    small_run.write(tmp_path / "run", made)
    file = small_inputs.fleet(tmp_path)
    assert predict.main([str(file), "--run", str(tmp_path / "run"), "--every_step"]) == 2
    assert "needs a sequence as a whole" in capsys.readouterr().err
