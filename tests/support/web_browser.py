"""`rtrace web` in a process of its own, and Debian's chromium that looks at its pages and tells what it objects to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Dialog, Page, Request, Route, sync_playwright

from requirements import CHECKOUT

TOOLS = CHECKOUT / ".bench" / "web" / "node_modules"
AXE = TOOLS / "axe-core" / "axe.min.js"
CHECKER = TOOLS / "vnu-jar" / "build" / "dist" / "vnu.jar"
_ARGUMENTS = (
    "--no-sandbox",  # tests run as root, which chromium has no sandbox for
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=\S+")


@dataclass
class Served:
    """A server that runs, and the address that it printed."""

    process: subprocess.Popen[str]
    address: str
    said: str

    @property
    def base(self) -> str:
        """The address without the token."""
        return self.address.partition("?")[0]


@contextmanager
def serve_history(place: Path | str, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Have the pages of a history while the block runs; they end as Ctrl-C ends them."""
    command = [sys.executable, "-m", "rtrace", "web", "--history", str(place), *(options or ("--no-open",))]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stderr is not None
    try:
        said = ""
        while not (found := _ADDRESS.search(said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        yield Served(process, found[0], said)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@dataclass
class Looking:
    """A page in a browser: what its console said, and what it asked for elsewhere."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page that is there."""
        response = self.page.goto(self.base + path.lstrip("/"))
        assert response is not None
        assert response.status == 200, path

    def click(self, name: str, role: str = "button") -> None:
        """Click on what has a name, and wait for the page that comes."""
        with self.page.expect_navigation():
            self.page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]


@contextmanager
def browsing() -> Iterator[Browser]:
    """Have a browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def looking(browser: Browser, served: Served, *, width: int = 1100, dark: bool = False) -> Iterator[Looking]:
    """Have a page that was let in; nothing that it asks for elsewhere leaves the browser."""
    with watching(browser, served.base, width=width, dark=dark) as seen:
        seen.page.goto(served.address)
        yield seen


@contextmanager
def opening(browser: Browser, file: Path, *, width: int = 1100, dark: bool = False) -> Iterator[Looking]:
    """Have a page that is one file; whatever else it asks for is elsewhere."""
    with watching(browser, file.as_uri(), width=width, dark=dark) as seen:
        seen.page.goto(seen.base)
        yield seen


@contextmanager
def watching(browser: Browser, base: str, *, width: int, dark: bool) -> Iterator[Looking]:
    """Have an empty page that can reach what begins with an address, and what is in the page itself."""
    context = browser.new_context(color_scheme="dark" if dark else "light", viewport={"width": width, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    seen = Looking(page, base)

    def judge(route: Route, request: Request) -> None:
        if request.url.startswith(base):
            route.continue_()
        else:
            seen.elsewhere.append(request.url)
            route.abort()

    def refuse(dialog: Dialog) -> None:
        seen.complaints.append(dialog.message)
        dialog.dismiss()

    context.route("**/*", judge)
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("dialog", refuse)
    try:
        yield seen
    finally:
        context.close()
