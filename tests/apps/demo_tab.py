"""A tab of the demo page, as a person uses it in a browser."""

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TRIES, SHORT_MS = 30, 3_000


class Tab:
    """The tab that is open."""

    def __init__(self, page, name):
        page.get_by_role("tab").first.wait_for()
        tab = page.get_by_role("tab", name=name, exact=True)
        for tries_left in reversed(range(TRIES)):
            try:
                self._choose(page, tab, name)
                break
            except sync_api.TimeoutError:  # the page was laying its tabs out anew
                if not tries_left:
                    raise
        self.page = page
        self.panel = page.get_by_role("tabpanel").filter(visible=True)

    @staticmethod
    def _choose(page, tab, name):
        if tab.is_visible():
            tab.click(timeout=SHORT_MS)
            return
        entry = page.locator(".overflow-dropdown").get_by_text(name, exact=True)
        if not entry.is_visible():  # tabs that have no place stand in a menu
            page.locator(".overflow-menu > button").click(timeout=SHORT_MS)
        entry.click(timeout=SHORT_MS)

    def press(self, name):
        self.panel.get_by_role("button", name=name, exact=True).click()

    def upload(self, file):
        self.panel.locator("input[type=file]").first.set_input_files(str(file))

    def shows(self, selector, text=""):
        """Waits until an element with the text is there; returns what it says."""
        found = self.panel.locator(selector).filter(has_text=text).first
        found.wait_for()
        return found.inner_text()

    def clear(self):
        """Takes the file away again, and with it the answer."""
        self.panel.get_by_label("Clear").first.click()
        self.panel.locator(".answer, [role=alert]").first.wait_for(state="hidden")

    def says(self, text):
        """Waits for the note of an input that cannot be used; nothing else is shown then."""
        told = self.shows("[role=alert]", text)
        assert "Traceback" not in told
        assert self.panel.locator(".answer, figure").filter(visible=True).count() == 0
