"""A real headless Chromium (Debian's), driven by Playwright, that notes whatever a page complains of or asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.support.needs import need_program, unmet

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")
"""Chromium's own sandbox cannot start as root in a container; pages are files that the test has made."""


@dataclass
class Opened:
    """A page, with what it said and asked for besides itself."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def ask(self, address: str) -> None:
        """Note a request."""
        self.asked.append(address)

    def dismiss(self, dialog: Dialog) -> None:
        """Note that a script has run, and go on."""
        self.said.append(f"dialog {dialog.message}")
        dialog.dismiss()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own."""
    program = need_program("chromium", "chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        unmet("playwright (pip install playwright)")
        raise
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, path: Path, *, width: int = 1200, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Opened]:
    """A file in a window of that width, without a network."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True, reduced_motion="reduce"
    )
    found = Opened(context.new_page())
    address = path.absolute().as_uri()
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    found.page.on("dialog", found.dismiss)
    found.page.on("request", lambda request: found.ask(request.url) if request.url != address else None)
    found.page.goto(address)
    try:
        yield found
    finally:
        context.close()


def artifacts(tmp_path: Path) -> Path:
    """Where a screenshot stays: CI_ARTIFACTS, else output/ of the test's own folder."""
    folder = Path(os.environ.get("CI_ARTIFACTS") or tmp_path / "output")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
