"""A person tries every tab of the page in a browser, with good input and with bad."""

import re
import shutil
import signal
import subprocess
import sys
import wave

import cv2
import numpy as np
import pytest

from tests.apps import task_folders
from tests.apps.anomaly_detection import small_model as small_detector
from tests.apps.demo_tab import SHORT_MS, TRIES, Tab
from tests.apps.speech_commands import small_run as small_speech
from tests.apps.video_classification import small_run as small_video

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]
BROWSER = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    # A microphone that beeps, without asking whether it may be heard
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
)
PATIENCE_MS = 90_000  # a machine that runs other tests beside


@pytest.fixture(scope="module")
def address(small_exports):
    """Of a page with all tabs, shown by the command as a user starts it."""
    arguments = ["--models", str(small_exports / "all"), "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "apps.demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=task_folders.ROOT,
    ) as process:
        lines = [process.stdout.readline() for _ in range(len(task_folders.TASKS) + 2)]
        assert "the page is at" in lines[-1], process.stderr.read()
        yield re.search(r"http://\S+", lines[-1]).group()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "ended\n", "")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            args=BROWSER.split(),
            viewport={"width": 1200, "height": 900},
        )
        context.set_default_timeout(PATIENCE_MS)
        yield context
        context.close()


@pytest.fixture(scope="module")
def page(browser, address):
    """The page, and afterwards: nobody else was asked for anything, and nothing went wrong."""
    page = browser.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    page.get_by_role("heading", name="Try the models").wait_for()
    yield page
    own = (address, "data:", "blob:")
    assert not [url for url in asked if not url.startswith(own)]
    assert wrong == []


def test_text_appears_bit_by_bit_after_the_prompt(page):
    tab = Tab(page, "Text")
    prompt = tab.panel.get_by_label("Prompt")
    written = tab.panel.locator(".written")
    prompt.fill("In the ß")
    tab.shows(".note", "never read ß")
    prompt.fill("")
    tab.shows(".note", "begins a text of its own")
    prompt.fill("In the")
    page.evaluate(
        "() => { window.lengths = new Set(); new MutationObserver(() => {"
        " const text = document.querySelector('.written').textContent;"
        " if (text.startsWith('In the')) window.lengths.add(text.length) })"
        ".observe(document.body, {subtree: true, childList: true, characterData: true}) }"
    )
    tab.press("Write")
    page.wait_for_function(f"window.lengths.has({len('In the') + 300})")
    lengths = page.evaluate("[...window.lengths]")
    assert len(lengths) > 1, "it came at once"
    assert lengths == sorted(lengths)
    assert written.inner_text().startswith("In the")
    first = written.evaluate("each => each.textContent")
    tab.panel.get_by_label("Seed").fill("7")
    for tries_left in reversed(range(TRIES)):
        tab.press("Write")  # which is lost while the first writing comes to its end
        try:
            page.wait_for_function(
                "before => document.querySelector('.written').textContent != before",
                arg=first,
                timeout=SHORT_MS,
            )
            break
        except sync_api.TimeoutError:
            if not tries_left:
                raise
    page.wait_for_function(
        "before => { const now = document.querySelector('.written').textContent;"
        " return now.length == before.length && now != before }", arg=first,
    )  # fmt: skip
    tab.press("Suggest a prompt")
    page.wait_for_function("document.querySelector('textarea').value != 'In the'")


def test_a_word_is_recognised_from_a_file_and_from_the_computer_s_voice(page, tmp_path):
    tab = Tab(page, "Speech")
    tab.press("Recognise")
    tab.says("There is no sound yet")
    tab.press("Say it")
    assert tab.shows(".answer strong") in small_speech.NAMES
    assert "%" in tab.shows("figure.bars")
    assert "Spectrogram" in tab.panel.locator("img.on-light").first.get_attribute("alt")
    assert not tab.panel.locator("img.on-dark").first.is_visible()
    tab.clear()
    tab.panel.get_by_label("Upload file").first.click()
    (tmp_path / "text.wav").write_text("these are words, and no sound\n")
    tab.upload(tmp_path / "text.wav")
    tab.says("text.wav")
    tab.clear()
    with wave.open(str(tmp_path / "word.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((small_speech.sound(1.0) * 16_000).astype("<i2").tobytes())
    tab.upload(tmp_path / "word.wav")
    assert tab.shows(".answer strong") in small_speech.NAMES


def test_what_the_microphone_records_is_recognised(page):
    tab = Tab(page, "Speech")
    tab.panel.get_by_label("Clear").first.click()
    tab.panel.get_by_label("Record audio").first.click()
    tab.press("Record")
    page.wait_for_timeout(1_500)
    tab.press("Stop")
    assert tab.shows(".answer strong") in small_speech.NAMES


def test_a_clip_is_named_from_a_file_and_from_an_example(page, tmp_path):
    tab = Tab(page, "Video")
    tab.press("Name it")
    tab.says("There is no clip yet")
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 500)
    tab.upload(tmp_path / "broken.mp4")
    tab.says("broken.mp4")
    tab.press("Example 1: a spot that moves")
    assert tab.shows(".answer strong") in small_video.NAMES
    assert "frames that the model got" in tab.panel.locator("img.on-light").first.get_attribute(
        "alt"
    )
    tab.clear()
    writer = cv2.VideoWriter(
        str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48)
    )
    for frame in small_video.video(30, 48, 64):
        writer.write(frame)
    writer.release()
    tab.upload(tmp_path / "clip.avi")
    assert tab.shows(".answer strong") in small_video.NAMES


def test_measurements_are_looked_at_from_an_example_a_file_and_the_keyboard(page, tmp_path):
    tab = Tab(page, "Anomalies")
    tab.press("Look for anomalies")
    tab.says("no measurements yet")
    tab.press("Fill in an example")
    assert re.search(r"in [\d,]+ steps", tab.shows(".answer strong"))
    assert "threshold" in tab.panel.locator("img.on-light").first.get_attribute("alt")
    (tmp_path / "wrong.csv").write_text("a,b,c\n1,2,3\n")
    tab.upload(tmp_path / "wrong.csv")
    tab.says("lacks the column flow, heat, command; it has a, b, c")
    tab.clear()
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    tab.upload(tmp_path / "picture.csv")
    tab.says("picture.csv")
    box = tab.panel.get_by_label("or the csv itself")
    box.fill("flow,heat,command\n1,2,warm\n")
    tab.press("Look for anomalies")
    tab.says("'warm'")
    values = small_detector.with_nan(small_detector.a_series())
    rows = [",".join("" if np.isnan(cell) else str(cell) for cell in row) for row in values]
    tab.clear()
    (tmp_path / "good.csv").write_text("\n".join([",".join(small_detector.NAMES), *rows]))
    tab.upload(tmp_path / "good.csv")
    tab.shows(".answer strong", f"in {len(values)} steps")
    assert "mostly by" in tab.shows(".table")


def test_a_shelf_is_filled_for_items_that_are_picked(page):
    tab = Tab(page, "Recommendation")
    tab.press("Fill the shelf")
    tab.shows(".note", "the most popular")
    box = tab.panel.get_by_label("Taken so far, the oldest first")
    box.click()
    box.press_sequentially("two words")
    page.get_by_role("option", name="two words").first.click()
    page.keyboard.press("Escape")
    tab.panel.locator(".note", has_text="the most popular").wait_for(state="hidden")
    assert "two words" not in tab.shows("figure.shelf")
    tab.panel.get_by_label("Leave out what was taken already").uncheck()
    tab.panel.get_by_label("number input for Places on the shelf").fill("30")
    tab.press("Fill the shelf")
    tab.panel.locator(".shelf li").nth(29).wait_for()
    tab.press("Pick some for me")
    tab.shows("figure.shelf")


def test_a_model_that_the_page_knows_no_tab_for_is_asked_in_json(page):
    tab = Tab(page, "echo")
    assert "divisor int64[any]" in tab.shows(".table")
    tab.press("Ask")
    assert '"outputs"' in tab.shows("figure.json")
    tab.panel.locator(".cm-content").fill("{")
    tab.press("Ask")
    tab.says("The request is not JSON")


@pytest.mark.parametrize("name", ["Text", "Speech", "Video", "Anomalies", "Recommendation", "echo"])
def test_a_narrow_window_needs_no_scrolling_sideways(page, name):
    Tab(page, name)
    try:
        for width in (768, 360):
            page.set_viewport_size({"width": width, "height": 800})
            wide = f"document.documentElement.scrollWidth <= {width}"
            page.wait_for_function(wide, timeout=10_000)
    finally:
        page.set_viewport_size({"width": 1200, "height": 900})
