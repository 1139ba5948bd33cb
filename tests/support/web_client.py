"""The pages of a history without a server: what a browser that was let in gets, and forms as a page sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from werkzeug.test import Client, TestResponse

from rtrace.record.document import Record
from rtrace.record.history.opening import open_history
from rtrace.record.history.protocol import History
from rtrace.web.guard import Guard
from rtrace.web.site import Site
from web_history import fill_history

BASE = "http://127.0.0.1:8000"
FORM = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}


@dataclass
class Pages:
    """A site, its guard, a browser, and the records that are shown."""

    site: Site
    guard: Guard
    client: Client
    records: list[Record]
    folder: Path

    @property
    def history(self) -> History:
        """The history that is shown."""
        return open_history(str(self.folder / "history"))

    @property
    def run(self) -> str:
        """The address of the first run."""
        return f"/run/{self.records[0]['id']}"

    def get(self, path: str, headers: dict[str, str] | None = None) -> TestResponse:
        """Return the answer to a request of this browser."""
        return self.client.get(path, base_url=BASE, headers=headers, buffered=True)

    def read(self, path: str) -> str:
        """Return the text of a page that is there."""
        response = self.get(path)
        assert response.status_code == 200, response.text
        return response.text

    def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> TestResponse:
        """Return the answer to a form; its check is that of the page unless it is given."""
        values = {"check": self.guard.check, **form}
        return self.client.post(
            path,
            base_url=BASE,
            data=urlencode(values),
            content_type="application/x-www-form-urlencoded",
            headers=dict(FORM if headers is None else headers),
        )

    def stored(self, number: int = 0) -> Record:
        """Return a record as the history has it now."""
        return self.history.read(self.records[number]["id"])

    def add(self, record: Record) -> str:
        """Add a record, and return the address of its page."""
        self.history.add(record)
        return f"/run/{record['id']}"


def make_pages(folder: Path) -> Pages:
    """Return the pages of a history with a few runs, in a browser that was let in."""
    records = fill_history(folder / "history", folder / "experiment")
    guard = Guard(["127.0.0.1", "localhost"], 8000)
    site = Site(lambda: open_history(str(folder / "history")), guard)
    client = Client(site)
    assert client.get(f"/?token={guard.token}", base_url=BASE).status_code == 303
    return Pages(site, guard, client, records, folder)
