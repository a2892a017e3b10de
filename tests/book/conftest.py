"""The built book and a browser without a network; the lack of either is a failure with
its remedy. Exercises are also looked at on a page of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from build_book import CODE, HTML, TEXT, digest, is_current
from find_chromium import REMEDY, find
from playwright.sync_api import Browser, Page, sync_playwright

from tests.book import small_book

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# MathJax starts by itself; a picture that is still loading has no size yet.
SETTLED = """async () => {
  await document.fonts.ready;
  if (document.querySelector("script[src*='mathjax']")) {
    while (!window.MathJax?.startup?.promise) await new Promise((done) => setTimeout(done, 20));
    await MathJax.startup.promise;
  }
  document.querySelectorAll("img[loading=lazy]").forEach((image) => { image.loading = "eager"; });
  await Promise.all([...document.images].map((image) => image.decode().catch(() => 0)));
}"""


@dataclass
class Visit:
    """An open page with everything that it asked for and complained about."""

    page: Page
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class Reader:
    """Opens built pages as a reader without a network would."""

    def __init__(self, browser: Browser, root: Path = HTML) -> None:
        self.browser = browser
        self.root = root

    @contextmanager
    def visit(
        self,
        name: str,
        *,
        scheme: str = "light",
        width: int = 1280,
        scripts: bool = True,
    ) -> Iterator[Visit]:
        """The page `name` (below the built book, without suffix) after everything on it
        has settled.
        """
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            offline=True,
            reduced_motion="reduce",
        )
        visit = Visit(context.new_page())
        visit.page.on("request", lambda request: _note_request(visit, request.url))
        visit.page.on(
            "pageerror", lambda error: visit.complaints.append(f"error: {error}")
        )
        visit.page.on("console", lambda message: _note_message(visit, message))
        path, _, query = name.partition("?")
        visit.page.goto(f"{(self.root / path).as_uri()}.html{'?' * bool(query)}{query}")
        if scripts:
            visit.page.evaluate(SETTLED)
        try:
            yield visit
        finally:
            context.close()


def _note_request(visit: Visit, url: str) -> None:
    if not url.startswith(("file:", "data:", "blob:")):
        visit.outside.append(url)


def _note_message(visit: Visit, message: object) -> None:
    if message.type in ("error", "warning"):
        visit.complaints.append(f"{message.type}: {message.text}")


@pytest.fixture(scope="session")
def book() -> None:
    """Fails unless the book on disk was built from the files on disk."""
    if not HTML.exists():
        pytest.fail(
            "There is no built book in _build/html. Build it first: make book",
            pytrace=False,
        )
    if not is_current({"code": digest(CODE), "text": digest(TEXT)}):
        pytest.fail(
            "The book in _build/html was built from other files. Build it again: make "
            "book",
            pytrace=False,
        )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser."""
    path = find()
    if path is None:
        pytest.fail(REMEDY, pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reader(book: None, chromium: Browser) -> Reader:  # noqa: ARG001
    """Opens pages of the built book in Chromium."""
    return Reader(chromium)


@pytest.fixture(scope="session")
def exercise_reader(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Reader:
    """Opens the page `book/exercises`, with a question of every kind."""
    folder = tmp_path_factory.mktemp("exercises")
    return Reader(chromium, small_book.build(folder, [], exercises=small_book.PAGE))
