"""The demo page reads a browser's own uploads alone, and answers nobody who names another host."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.apps import echo_model, task_folders

pytestmark = pytest.mark.slow
FOREIGN = "machines.example"


# A page with a tab that shows the text of a file, as the tabs of tasks read what is uploaded
PROGRAM = """
import pathlib, sys
import gradio
from apps.suite.demo import page, server

def reading(_):
    file, text = gradio.File(label="A file"), gradio.Textbox()
    file.upload(lambda path: pathlib.Path(path).read_text(), file, text, queue=False)

tabs = {"echo": page.Tab("Read", "Reads a file.", reading)}
options = server.Options(models=pathlib.Path(sys.argv[1]), port=0)
with server.showing(options, lambda _: tabs) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    echo_model.write(models, 1)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(models)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=task_folders.ROOT,
    ) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        yield lines[-1].strip()
        process.stdin.close()
    assert process.returncode == 0


@pytest.fixture
def browser(address):
    with requests.Session() as session:
        session.get(address).raise_for_status()
        yield session


def upload(browser, address, content):
    answer = browser.post(f"{address}/gradio_api/upload", files={"files": ("own.txt", content)})
    (path,) = answer.json()
    return path


def read(browser, address, path, service="run/predict"):
    """Returns the page's answer to a call that names this path as its upload."""
    config = browser.get(f"{address}/config").json()
    (called,) = (each["id"] for each in config["dependencies"] if each["targets"][0][1] == "upload")
    file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
    body = {"data": [file], "fn_index": called, "session_hash": "mine"}
    return browser.post(f"{address}/gradio_api/{service}", json=body)


def test_an_upload_is_read_and_can_be_fetched_by_the_browser_that_sent_it(browser, address):
    path = upload(browser, address, b"my own words")
    assert read(browser, address, path).json()["data"] == ["my own words"]
    assert browser.get(f"{address}/gradio_api/file={path}").text == "my own words"


@pytest.mark.parametrize("service", ["run/predict", "run/predict/", "api/predict", "queue/join"])
def test_a_file_of_the_machine_that_a_call_names_is_neither_read_nor_copied(
    browser, address, service, tmp_path
):
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of this machine")
    beside = Path(upload(browser, address, b"mine")).parent / ".." / ".." / "x"
    for path in (secret, "/etc/hostname", "/proc/self/environ", beside, "http://127.0.0.1:1/x"):
        answer = read(browser, address, path, service)
        assert (answer.status_code, "secret" in answer.text) == (403, False), path
        assert browser.get(f"{address}/gradio_api/file={path}").status_code in (403, 404)


def test_a_file_of_the_machine_is_refused_in_every_place_of_a_call(browser, address, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of this machine")
    own = upload(browser, address, b"mine")
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    hidden = {"data": [{"path": own, "deep": [[{"video": file}]]}], "fn_index": 0}
    for service in ("run/predict", "queue/join", "call/predict", "component_server"):
        for kind in ("application/json", "text/plain"):
            answer = browser.post(
                f"{address}/gradio_api/{service}",
                data=json.dumps(hidden),
                headers={"Content-Type": kind},
            )
            assert answer.status_code == 403, service


def test_an_upload_of_another_browser_is_neither_read_nor_fetched(browser, address):
    path = upload(browser, address, b"words of somebody else")
    with requests.Session() as other:
        other.get(address)
        assert read(other, address, path).status_code == 403
        assert other.get(f"{address}/gradio_api/file={path}").status_code == 403
    assert requests.get(f"{address}/gradio_api/file={path}").status_code == 403


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/gradio_api/queue/data"])
def test_a_foreign_name_that_is_pointed_at_the_page_gets_nothing(browser, address, path):
    port = address.rpartition(":")[2]
    for host in (FOREIGN, f"{FOREIGN}:{port}", f"localhost.{FOREIGN}:{port}", "10.0.0.1"):
        answer = browser.get(address + path, headers={"Host": host})
        assert answer.status_code in (400, 403), host
        assert "gradio" not in answer.text


def test_the_page_is_there_under_all_names_of_its_address(browser, address):
    port = address.rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", "localhost:9"):
        assert browser.get(address, headers={"Host": host}).status_code == 200, host


def test_a_page_of_another_address_must_not_call(browser, address):
    own = upload(browser, address, b"mine")
    body = {"data": [{"path": own}], "fn_index": 0}
    url = f"{address}/gradio_api/run/predict"
    for origin in (
        f"http://{FOREIGN}",
        "null",
        f"http://127.0.0.1.{FOREIGN}",
        f"{address}0",
        "http://[",
    ):
        assert browser.post(url, json=body, headers={"Origin": origin}).status_code == 403
    kept = browser.get(
        f"{address}/gradio_api/file={own}",
        headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    )
    assert kept.status_code == 403
    headers = {"Origin": address, "Sec-Fetch-Site": "same-origin"}
    assert browser.get(f"{address}/config", headers=headers).status_code == 200
