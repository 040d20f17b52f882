"""A shop's own csv, with all that is odd in it, from the log to what is served."""

import json

import numpy as np
import pytest
import tensorflow as tf

from apps.recommendation import export, predict, serving, train

# Of Keras, when it saves a model
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

PRODUCTS = ("two words", 'a "quoted" one', "it's", "牛乳", "хлеб", "لبن", "007", "7", "🥛", "null")
QUICK = [
    "--preset", "tiny", "--training.steps", "60", "--training.steps_per_checkpoint", "30",
    "--training.learning_rate", "0.02", "--columns.user", "who", "--columns.item", "what",
    "--columns.time", "bought at", "--columns.title", "called", "--model.dropout", "0",
    "--model.embedding_dropout", "0", "--columns.placeholders", "keep",
]  # fmt: skip


def write_log(file):
    """All walk along the shelf, from a place of their own; some come once, some lines twice."""
    rows = []
    for customer in range(60):
        for visit in range(1 if customer % 10 == 9 else 12):
            product = PRODUCTS[(customer + visit) % len(PRODUCTS)]
            day = np.datetime64("2024-03-01") + visit * 5 + customer % 5
            quoted = product.replace('"', '""')
            rows.append(f'customer {customer},"{quoted}",{day}T10:00:00,"the ""{quoted}"""')
    file.write_text("\n".join(["who,what,bought at,called", *rows, *rows[:7], ""]), "utf-8")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Folder with log.csv, the run of it and the version that was exported."""
    folder = tmp_path_factory.mktemp("shop")
    write_log(folder / "log.csv")
    run = str(folder / "run")
    assert (
        train.main(
            [
                *QUICK,
                "--data",
                str(folder / "log.csv"),
                "--run",
                run,
                "--columns.placeholders",
                "keep",
            ]
        )
        == 0
    )
    assert export.main(["--run", run, "--to", str(folder)]) == 0
    return folder


def test_the_next_product_of_the_shelf_is_learned_and_served(shop):
    signature = tf.saved_model.load(str(shop / "recommendation" / "1")).signatures
    histories = [[PRODUCTS[at - 2], PRODUCTS[at - 1]] for at in range(len(PRODUCTS))]
    answer = signature["serving_default"](
        history=tf.constant(serving.padded_histories(histories)),
        k=tf.constant(1),
        exclude_seen=tf.constant(False),
    )
    first = [row[0].decode() for row in answer["items"].numpy()]
    right = sum(a == b for a, b in zip(first, PRODUCTS, strict=True))
    assert right >= 8, first


def test_predict_answers_the_log_s_own_customers_with_titles(shop, capsys):
    arguments = ["--run", str(shop / "run"), "--file", str(shop / "log.csv"), "--json"]
    assert predict.main(arguments) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(answers) == 60
    for each in answers:
        assert each["unknown"] == []
        assert all(item["title"] == f'the "{item["item"]}"' for item in each["items"])


def test_the_report_tells_what_was_odd(shop):
    metrics = json.loads((shop / "run" / "metrics.json").read_text())
    assert metrics["data"]["counts"]["duplicate_rows"] == 7
    assert metrics["data"]["counts"]["users"] == 60
