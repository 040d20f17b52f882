"""Makes the pictures of READMEs from finished runs: `python docs/readme_pictures.py --runs runs`.

    python docs/readme_pictures.py --runs runs --exports exports

Of each run in the folder one plot becomes docs/pictures/<task>.png, and the block that shows it in
apps/<task>/README.md is written anew, with the text that says what the plot shows. One report and
the demo page, which the first page shows, are taken with a Chromium of the machine; playwright,
which drives it, is part of the extra `dev`. Each picture has a twin for dark pages.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import html
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REPORT_OF = "anomaly_detection"
# The plot of each task that tells most; else that of the model beside its baselines
PLOTS = {
    "anomaly_detection": "test_part",
    "forecasting": "forecast_7",
    "object_detection": "strip_5",
    "recommendation": "model_and_baselines",
    "sequence_classification": "beginnings",
    "sequence_regression": "truth_and_answer",
    "speech_commands": "stream",
    "speech_to_text": "alignment",
    "summarization": "model_and_baselines",
    "tagging": "f1_by_type",
    "text_generation": "nats_by_place",
    "translation": "attention_2",
    "video_classification": "frames_seen",
}
ELSE = "model_and_baselines"
MOST_BYTES = 150_000
WIDEST_PIXELS = 1_200
SHOWN_PIXELS = 720
PAGE_PIXELS = (1000, 1000)
MARGIN_PIXELS = 30
EXAMPLE_MILLISECONDS = 2_000
THEMES = {"light": "", "dark": "-dark"}
_SHOWN = re.compile(r"<picture>\n.*?docs/pictures/.*?</picture>\n\n", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=Path, required=True, help="folder of finished runs")
    parser.add_argument("--exports", type=Path, help="folder of exports, for the demo page")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the READMEs")
    options = parser.parse_args(arguments)
    tasks = [task for task in PLOTS if (options.runs / task / "report.html").is_file()]
    if not tasks:
        print(f"error: {options.runs} holds no finished run of a task", file=sys.stderr)
        return 2
    pictures = options.root / "docs" / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for task in tasks:
        alternative = of_run(options.runs / task, task, pictures)
        show(options.root / "apps" / task / "README.md", task, alternative)
        print(f"{task}: {alternative}")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"error: none of {', '.join(BROWSERS)} is installed", file=sys.stderr)
        return 2
    if REPORT_OF in tasks:
        page = (options.runs / REPORT_OF / "report.html").resolve().as_uri()
        photograph(page, "main", "figure", pictures / "report.png", browser)
    if options.exports is not None:
        with demo_page(options.exports) as address:
            photograph(address, "main", None, pictures / "demo.png", browser)
    return 0


def of_run(run: Path, task: str, pictures: Path) -> str:
    """Writes the plot of a run in both themes; returns the text that says what it shows."""
    plots = run / "plots"
    name = PLOTS[task] if (plots / f"{PLOTS[task]}.png").is_file() else ELSE
    for suffix in THEMES.values():
        with Image.open(plots / f"{name}{suffix}.png") as plot:
            save(plot, pictures / f"{task}{suffix}.png")
    content = base64.b64encode((plots / f"{name}.png").read_bytes()).decode()
    report = (run / "report.html").read_text(encoding="utf-8")
    place = report.find(content)
    found = re.match(r'[^>]*?alt="([^"]*)"', report[place + len(content) :]) if place >= 0 else None
    return html.unescape(found[1]) if found else name.replace("_", " ")


def save(picture: Image.Image, file: Path) -> None:
    """Saves a picture as png with a palette, with fewer colours or smaller where it is large."""
    plain = picture.convert("RGB")
    colours, width = 128, WIDEST_PIXELS
    while True:
        fitted = plain
        if plain.width > width:
            size = (width, round(plain.height * width / plain.width))
            fitted = plain.resize(size, Image.Resampling.LANCZOS)
        written = io.BytesIO()
        fitted.quantize(colours, dither=Image.Dither.NONE).save(written, "png", optimize=True)
        if len(written.getvalue()) <= MOST_BYTES:
            file.write_bytes(written.getvalue())
            return
        colours, width = (32, width) if colours > 32 else (colours, round(0.8 * width))


def block(task: str, alternative: str, up: str) -> str:
    """Returns the lines of a README that show a picture; `up` leads to the root."""
    place, told = f"{up}docs/pictures/{task}", html.escape(" ".join(alternative.split()))
    return (
        "<picture>\n"
        f'  <source media="(prefers-color-scheme: dark)" srcset="{place}-dark.png">\n'
        f'  <img src="{place}.png" width="{SHOWN_PIXELS}" alt="{told}">\n'
        "</picture>\n\n"
    )


def show(readme: Path, task: str, alternative: str) -> None:
    """Writes the block of a task's picture below the heading of its results, or anew there."""
    text = _SHOWN.sub("", readme.read_text(encoding="utf-8"), count=1)
    before, heading, after = text.partition("\n## Results\n\n")
    if not heading:
        raise ValueError(f"{readme} has no heading ## Results")
    picture = block(task, alternative, "../../")
    readme.write_text(f"{before}{heading}{picture}{after}", encoding="utf-8")


def photograph(address: str, first: str, last: str | None, file: Path, browser: str) -> None:
    """Takes a page in both themes, from the top of an element to the end of another one.

    Args:
        address: of the page.
        first: selector of the element at the top, whose width is taken.
        last: selector of the element at the end; None takes what the window shows.
        file: the light picture; the dark one lies beside it.
        browser: path of a Chromium.
    """
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for theme, suffix in THEMES.items():
            size = sync_api.ViewportSize(width=PAGE_PIXELS[0], height=PAGE_PIXELS[1])
            page = opened.new_page(viewport=size, color_scheme=theme)  # type: ignore[arg-type]
            page.goto(address)
            page.wait_for_load_state("networkidle")
            if last is None:  # the demo page, with the answer to its example
                page.get_by_role("button", name="Fill in an example").first.click()
                page.wait_for_timeout(EXAMPLE_MILLISECONDS)
                page.locator("button.primary").first.click()
                page.wait_for_timeout(5 * EXAMPLE_MILLISECONDS)
            clip: Any = {"x": 0, "y": 0, "width": PAGE_PIXELS[0], "height": PAGE_PIXELS[1]}
            if last is not None:
                top = page.locator(first).first.bounding_box()
                end = page.locator(last).first.bounding_box()
                assert top is not None
                assert end is not None
                clip = {
                    "x": max(0, top["x"] - MARGIN_PIXELS),
                    "y": MARGIN_PIXELS,
                    "width": top["width"] + 2 * MARGIN_PIXELS,
                    "height": end["y"] + end["height"] - MARGIN_PIXELS,
                }
            taken = page.screenshot(clip=clip, full_page=True)
            with Image.open(io.BytesIO(taken)) as picture:
                save(picture, file.with_stem(f"{file.stem}{suffix}"))
            page.close()
        opened.close()
    print(f"{file.name}: taken")


@contextlib.contextmanager
def demo_page(exports: Path) -> Iterator[str]:
    """Serves the demo page of some exports while the block runs; yields its address."""
    exports = exports.resolve()  # the page names them: by their own name, not the machine's
    command = [sys.executable, "-m", "apps.demo", "--models", exports.name, "--port", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=exports.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as server:
        try:
            assert server.stdout is not None
            for line in server.stdout:
                found = re.search(r"https?://\S+", line)
                if found:
                    yield found[0]
                    break
            else:
                raise SystemExit("the demo page did not start, see above")
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
