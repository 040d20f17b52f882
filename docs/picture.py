"""Takes the picture of a run's report that the first page shows.

    python -m apps.anomaly_detection.train
    python docs/picture.py --run runs/anomaly_detection --to docs/pictures/report.png

It needs a Chromium on the machine; playwright, which drives it, is part of the extra `dev`.
"""

import argparse
import shutil
import sys
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH_PIXELS, HEIGHT_PIXELS = 1000, 1000
MARGIN_PIXELS = 30


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--to", type=Path, required=True, help="the png file to write")
    options = parser.parse_args()
    report = options.run / "report.html"
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not report.is_file():
        print(f"error: {report} does not exist; train or evaluate the run first", file=sys.stderr)
        return 2
    if browser is None:
        print(f"error: none of {', '.join(BROWSERS)} is installed", file=sys.stderr)
        return 2
    take(report, options.to, browser)
    print(f"wrote {options.to}")
    return 0


def take(report: Path, picture: Path, browser: str) -> None:
    """Saves a report page, from its top to the end of its first plot, as a png file."""
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        size = sync_api.ViewportSize(width=WIDTH_PIXELS, height=HEIGHT_PIXELS)
        page = opened.new_page(viewport=size, color_scheme="light")
        page.goto(report.resolve().as_uri())
        plot = page.locator("figure").first.bounding_box()
        heading = page.locator("main").bounding_box()
        assert plot is not None
        assert heading is not None
        shown = sync_api.FloatRect(
            x=heading["x"] - MARGIN_PIXELS,
            y=MARGIN_PIXELS,
            width=heading["width"] + 2 * MARGIN_PIXELS,
            height=plot["y"] + plot["height"] - MARGIN_PIXELS,
        )
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=picture, clip=shown, full_page=True)
        opened.close()


if __name__ == "__main__":
    sys.exit(main())
