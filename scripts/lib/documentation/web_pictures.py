"""Make the pictures of docs/how-to/web.md anew: the pages of a sample history, as Debian's chromium shows them.

`scripts/docs --web` runs it.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(CHECKOUT / "tests" / "support"))

from web_browser import browsing, looking, serve_history  # noqa: E402 -- after the folder of what tests share
from web_history import fill_history  # noqa: E402

PICTURES = CHECKOUT / "docs" / "pictures"
_COLOURS = 64


def make_pictures() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        experiment = Path(folder) / "heatwave"
        place = Path(folder) / "history"
        records = fill_history(place, experiment)
        run = f"/run/{records[0]['id']}"
        views = {
            "web-list": ("/", 1000, 420, False),
            "web-run": (run, 1000, 700, False),
            "web-graph": (f"{run}/graph", 1000, 520, False),
            "web-compare": ("/compare?run=trend-0.1&run=trend-0.2", 1000, 700, False),
            "web-phone": ("/", 360, 640, True),
        }
        with serve_history(place) as served, browsing() as browser:
            for name, (path, width, height, dark) in views.items():
                with looking(browser, served, width=width, dark=dark) as seen:
                    seen.page.set_viewport_size({"width": width, "height": height})
                    seen.go(path)
                    # Where the sample lies on this machine is of no interest.
                    seen.page.evaluate(_HIDE, [folder, "/home/ada"])
                    write_small(seen.page.screenshot(), PICTURES / f"{name}.png")


_HIDE = """([from, to]) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(from, to);
}"""


def write_small(data: bytes, target: Path) -> None:
    """Write a screenshot with few colours: a page has no more."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    if shutil.which("chromium") is None:
        sys.exit("install chromium first")
    make_pictures()
