"""Own tables reach the network, and what cannot be learned is refused with a way out."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.forecasting import config as configs
from apps.forecasting import data
from apps.suite import errors
from apps.suite.panels import config as panel_config
from apps.suite.panels import layout, own_tables

LONG = """\
store,day,sales,promo,heat
north,2024-01-01,12,0,3.5
south,2024-01-01,31,0,4
north,2024-01-02,,1,-
south,2024-01-03,29,1,5
north,2024-01-03,15,1,2
"""
SETTINGS = panel_config.PanelFormatConfig(
    series="store", time="day", known=("promo",), past=("heat",), test_steps=1, validation_steps=1
)


def write(folder, text, name="a.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_static_columns_of_words_and_numbers_reach_the_network(tmp_path):
    stores = write(tmp_path, "store,size,area\nsouth,small,\nnorth,big,2\n", "stores.csv")
    settings = dataclasses.replace(SETTINGS, static=str(stores))
    found = own_tables.read(write(tmp_path, LONG), settings)
    assert [one.static for one in found.series] == [("big", "2"), ("small", "")]
    config = configs.Config(model=configs.ModelConfig(context_steps=24))
    made = layout.of_training(found, config.model)
    numbers = layout.static_in_graph(tf.constant([["small", ""], ["huge", "3"]]), made).numpy()
    np.testing.assert_array_equal(numbers, [[0, 1, 0], [0, 0, 1]])


def test_configs_refuse_what_cannot_be():
    with pytest.raises(ValueError, match="the median"):
        configs.ForecastConfig(levels=(0.1, 0.9))
    with pytest.raises(ValueError, match=r"model.adjusted is for model.kind direct"):
        configs.ModelConfig(kind="autoregressive", adjusted=True)
    with pytest.raises(ValueError, match=r"model.location theta is for model.kind direct"):
        configs.ModelConfig(kind="autoregressive", location="theta")
    with pytest.raises(ValueError, match="a multiple of"):
        configs.ModelConfig(context_steps=25, patch_steps=24)


def test_series_too_short_for_a_forecast_are_told_what_to_change(tmp_path):
    config = configs.Config(
        data=str(write(tmp_path, LONG)), data_format=SETTINGS,
        forecast=configs.ForecastConfig(horizon_steps=2),
    )  # fmt: skip
    with pytest.raises(errors.UserError, match=r"no series has a train part of 2 steps.*north"):
        data.load(config)


def test_a_bound_that_values_lie_below_is_refused_and_one_that_fits_is_offered(tmp_path):
    more = "north,2024-01-04,14,0,2\nnorth,2024-01-05,13,0,2\nnorth,2024-01-06,16,0,2\n"
    config = configs.Config(data=str(write(tmp_path, LONG + more)), data_format=SETTINGS)

    def bounded(lowest):
        forecast = configs.ForecastConfig(horizon_steps=1, lowest=lowest)
        return dataclasses.replace(config, forecast=forecast)

    with pytest.raises(errors.UserError, match=r"--forecast.lowest 13: .* has 12 in .* north"):
        data.load(bounded(13.0))
    assert data.hints(data.load(bounded(12.0)), bounded(12.0)) == []
    panel = data.load(bounded(None))
    assert "--forecast.lowest 0" in data.hints(panel, bounded(None))[0]
    write(tmp_path, LONG.replace(",12,", ",-1,") + more)
    assert data.hints(data.load(bounded(None)), bounded(None)) == []
