"""The settings of the published figures are options of the command, and their table is whole."""

import pytest

from apps.forecasting import config as configs
from apps.suite.commands import command
from benchmarks import forecasting


@pytest.mark.parametrize("name", forecasting.SETTINGS)
def test_the_options_of_a_figure_are_those_of_the_command(name):
    options = forecasting.SETTINGS[name].options.split()
    found = command.train_options("forecasting", configs.PRESETS, options).config
    assert found.seed == 0


def test_the_table_has_ours_the_best_baseline_first_and_what_is_published():
    setting = forecasting.Setting("", ("smape", "mase"), {"Someone (2000)": (13.8, None)})
    metrics = {
        "test": {"smape": 13.0, "mase": 0.8},
        "baselines": {"last value": {"smape": 17.2, "mase": 1.0}, "theta": {"smape": 13.9}},
    }
    lines = forecasting.table("m3", setting, metrics).splitlines()
    cells = [line.split("  ")[0].strip() or line.split()[0] for line in lines]
    assert cells == ["m3", "this model", "theta", "last", "published:"]
    assert lines[1].split()[-2:] == ["13", "0.8"]
    assert lines[4].split()[-1] == "13.8"
