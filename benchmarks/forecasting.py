"""Reruns the published figures of forecasting: `python benchmarks/forecasting.py --ett FOLDER`.

    traffic   24 hours ahead of an hourly count of vehicles, every midnight of 13 weeks
    prices    five trading days ahead of a share's daily price, every day of 500
    m3        18 months ahead of the 1,428 monthly series of the competition M3, official test parts
    etth1_24, etth1_96    all windows of the seven columns of ETTh1.csv, in FOLDER, in the division
              into 12, 4 and 4 months that publications use

Each line of the table has a figure of ours, those of our baselines on the same windows, and what
was published. The task's own command makes each run, in `--runs`; a finished run is only read, and
an interrupted benchmark goes on by the same command.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple


class Setting(NamedTuple):
    """One run: its options, the measures to show, and what others have published of them.

    Attributes:
        options: of the training command.
        measures: by their names in metrics.json.
        published: who, and one value for each measure, None where it was not given.
    """

    options: str
    measures: tuple[str, ...]
    published: dict[str, tuple[float | None, ...]]


_ETTH1 = (
    "--data_format.layout wide --data_format.time none --data_format.ignored date "
    "--data_format.train_steps 8640 --data_format.validation_steps 2880 "
    "--data_format.test_steps 2880 --forecast.origin_steps 1 --model.context_steps 720 "
    "--model.location last --model.layer gru --model.units 128 --model.dropout 0.5 "
    "--model.season_steps 24 --model.season_count 7 --model.adjusted True --model.linear True "
    "--training.batch_size 128 --training.learning_rate 0.001 "
)
SETTINGS = {
    "traffic": Setting("", ("mae", "smape", "coverage_80"), {}),
    "prices": Setting(
        "--data daily_prices --forecast.horizon_steps 5 --forecast.origin_steps 1 "
        "--model.context_steps 60 --model.patch_steps 5 --model.units 16 --model.season_steps 0 "
        "--training.loss_unit level --training.learning_rate 0.0005 --training.steps 500 "
        "--training.steps_per_checkpoint 50",
        ("mae", "coverage_80"),
        {},
    ),
    "m3": Setting(
        "--data competition_series/m3_monthly --forecast.horizon_steps 18 "
        "--model.context_steps 120 --model.patch_steps 6 --model.location theta "
        "--model.adjusted True --model.log True --model.season_count 2 --model.units 48 "
        "--model.series_units 0 --training.loss_unit level --training.learning_rate 0.0015 "
        "--training.batch_size 128 --training.steps 600 --training.members 5",
        ("smape", "mase", "coverage_80"),
        {
            "Theta (Makridakis and Hibon 2000)": (13.85, None, None),
        },
    ),
    "etth1_24": Setting(
        _ETTH1 + "--forecast.horizon_steps 24 --model.patch_steps 24 --training.steps 900 "
        "--training.steps_per_checkpoint 100",
        ("scaled_mse", "scaled_mae", "coverage_80"),
        {"SCINet (Liu et al. 2022)": (0.321, 0.359, None)},
    ),
    "etth1_96": Setting(
        _ETTH1 + "--forecast.horizon_steps 96 --model.patch_steps 48 --training.steps 1200 "
        "--training.steps_per_checkpoint 120 --training.members 2",
        ("scaled_mse", "scaled_mae", "coverage_80"),
        {
            "SegRNN (Lin et al. 2023)": (0.351, 0.392, None),
            "PatchTST (Nie et al. 2023)": (0.375, 0.404, None),
            "DLinear (Zeng et al. 2023)": (0.381, 0.407, None),
            "iTransformer (Liu et al. 2024)": (0.396, 0.426, None),
            "GRU, as SegRNN's authors ran it": (1.135, 0.844, None),
        },
    ),
}


def figures(name: str, setting: Setting, runs: Path, further: list[str]) -> dict[str, Any]:
    """Trains a setting unless it is finished, and returns its metrics."""
    run = runs / name
    if not (run / "metrics.json").is_file():
        command = [sys.executable, "-m", "apps.forecasting.train", *setting.options.split()]
        subprocess.run([*command, *further, "--run", str(run)], check=True)
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return found


def rows_of(setting: Setting, metrics: dict[str, Any]) -> list[tuple[str, list[float | None]]]:
    """Returns the lines of a table: ours, our baselines from the best on, and what is published."""
    ours = [metrics["test"].get(each) for each in setting.measures]
    baselines = [
        (f"  {name}", [values.get(each) for each in setting.measures])
        for name, values in metrics["baselines"].items()
    ]
    baselines.sort(key=lambda row: row[1][0] or 0.0)
    published = [(f"  published: {name}", list(row)) for name, row in setting.published.items()]
    return [("this model", ours), *baselines, *published]


def table(name: str, setting: Setting, metrics: dict[str, Any]) -> str:
    """Returns the lines as text."""
    found = rows_of(setting, metrics)
    width = max(len(row[0]) for row in found)
    lines = [name.ljust(width) + "".join(f"{each:>14}" for each in setting.measures)]
    for label, values in found:
        cells = ["" if value is None else f"{value:.4g}" for value in values]
        lines.append(label.ljust(width) + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=SETTINGS, action="append", help="may come several times")
    parser.add_argument("--ett", type=Path, help="folder with ETTh1.csv; none = without ETTh1")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "forecasting_figures")
    given, more = parser.parse_known_args()  # what is left is for the training
    wanted = given.only or [each for each in SETTINGS if given.ett or "etth1" not in each]
    tables = []
    for name in wanted:
        further = list(more)
        if "etth1" in name:
            file = (given.ett or Path()) / "ETTh1.csv"
            if not file.is_file():
                parser.error(f"{file}: no such file; name its folder with --ett")
            further = ["--data", str(file), *further]
        metrics = figures(name, SETTINGS[name], given.runs, further)
        tables.append(table(name, SETTINGS[name], metrics))
    print("\n\n".join(["", *tables]))


if __name__ == "__main__":
    main()
