"""The better one is named, whoever it is."""

import pytest

from apps.suite.evaluation import comparison


def metrics(model, baselines, higher_is_better=False):
    test = {"error": model, "seconds": 3.0}
    having = {name: {"error": value, "extra": 1.0} for name, value in baselines.items()}
    chief = comparison.primary("error", test, having, higher_is_better)
    return {"primary": chief, "test": test, "baselines": having}


def test_the_primary_metric_is_set_beside_the_best_baseline():
    chief = metrics(2.0, {"mean": 3.0, "last value": 2.5})["primary"]
    assert chief == {
        "name": "error",
        "higher_is_better": False,
        "model": 2.0,
        "baseline": {"name": "last value", "value": 2.5},
    }
    assert metrics(2.0, {"a": 3.0, "b": 2.5}, True)["primary"]["baseline"]["name"] == "a"


def test_the_metrics_of_an_evaluation_count_parts_by_their_sizes_or_by_themselves():
    parts = {"train": ["a", "b", "c"], "test": 7}
    given = ({"error": 2.0, "units": 4}, {"mean": {"error": 3.0}})
    found = comparison.metrics(
        parts, "by unit", "series", "error", *given, higher_is_better=False, counts={"rows": 9}
    )
    assert found == {
        "data": {
            "examples": {"train": 3, "test": 7},
            "unit": "series",
            "split": "by unit",
            "counts": {"rows": 9},
        },
        "primary": comparison.primary("error", *given, higher_is_better=False),
        "test": given[0],
        "baselines": given[1],
    }


def test_a_result_without_a_baseline_is_refused():
    with pytest.raises(ValueError, match="no baseline has the primary metric error"):
        comparison.primary("error", {"error": 1.0}, {"mean": {"other": 2.0}}, False)


@pytest.mark.parametrize(
    ("model", "higher_is_better", "said"),
    [
        (1.0, False, "The model is better than the best baseline, last value: 1.000 against 2.500"),
        (3.0, False, "The baseline last value is better than the model: 3.000 against 2.500"),
        (4.5, True, "The model is better than the best baseline, mean: 4.500 against 4.000"),
        (1.0, True, "The baseline mean is better than the model: 1.000 against 4.000"),
        (2.5, False, "Neither is better: the model and the baseline last value reach 2.500"),
    ],
)
def test_the_verdict_names_the_better_one(model, higher_is_better, said):
    found = metrics(model, {"mean": 4.0, "last value": 2.5}, higher_is_better)
    assert comparison.verdict(found).startswith(said)


def test_standings_begin_with_the_best_and_a_tie_goes_to_the_baseline():
    found = comparison.standings(metrics(2.5, {"mean": 4.0, "last value": 2.5}))
    assert [standing.name for standing in found] == ["last value", "this model", "mean"]


def test_the_table_has_the_metrics_that_can_be_compared():
    found = metrics(2.0, {"mean": 4.0})
    found["test"]["extra"] = 12
    header, rows = comparison.table(found)
    assert header == ["", "error (lower is better)", "extra"]
    assert rows == [["this model", "2.000", "12"], ["mean", "4.000", "1.000"]]


@pytest.mark.parametrize(
    ("value", "written"),
    [(5, "5"), (0.00001234, "1.234e-05"), (-0.095, "-0.09500"), (999.9, "999.9"),
     (999.96, "1,000"), (2267.3, "2,267"), (-33_270.1, "-33,270"), (1e20, "1.000e+20")],
)  # fmt: skip
def test_a_large_number_is_written_in_full_and_never_ends_with_a_point(value, written):
    assert comparison.number(value) == written


def test_abbreviations_are_written_as_in_the_field():
    assert comparison.words("ndcg_at_10_known_items") == "NDCG at 10 known items"
    assert comparison.words("maestro_smape") == "maestro sMAPE"
    assert comparison.words("rougeL_stemmed") == "ROUGE-L stemmed"


def test_the_columns_of_the_terminal_s_table_are_aligned():
    lines = comparison.text_table(metrics(12345.0, {"mean": 0.5})).splitlines()
    assert len(lines) == 3
    assert len({len(line) for line in lines}) == 1
    assert lines[1].startswith("mean")


@pytest.mark.parametrize(("model", "told"), [(0.9, False), (0.8, False), (0.7, True)])
def test_a_baseline_that_wins_is_told_with_why(model, told):
    baselines = {"nearest mean": {"accuracy": 0.8}, "majority": {"accuracy": 0.5}}
    test = {"accuracy": model}
    metrics = {
        "primary": comparison.primary("accuracy", test, baselines, higher_is_better=True),
        "test": test,
        "baselines": baselines,
    }
    found = comparison.why(metrics, "it needs few clips", "more clips")
    expected = "Why nearest mean is better: it needs few clips; more clips may change that."
    assert found == (expected if told else "")


def test_a_table_wider_than_the_terminal_goes_on_below_with_the_names_again():
    found = metrics(2.0, {"a baseline": 4.0})
    found["test"] |= {"extra": 12, "further": 1.0}
    for scores in found["baselines"].values():
        scores["further"] = 2.0
    whole = comparison.text_table(found)
    assert comparison.text_table(found, 200) == whole
    parts = comparison.text_table(found, len("a baseline  error (lower is better)")).split("\n\n")
    assert [part.splitlines()[0].strip() for part in parts] == [
        "error (lower is better)",
        "extra  further",
    ]
    for part in parts:
        assert [line.split("  ")[0] for line in part.splitlines()[1:]] == [
            "this model",
            "a baseline",
        ]
    assert len(comparison.text_table(found, 1).split("\n\n")) == 3, "a column at least"
