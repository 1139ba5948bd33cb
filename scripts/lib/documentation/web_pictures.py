"""Make the pictures of docs/how-to/web.md anew: the pages of a sample history, as Debian's chromium shows them.

`scripts/docs --web` runs it.
"""

from __future__ import annotations

import inspect
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(CHECKOUT / "tests" / "support"))

from rtrace.record.history.opening import open_history  # noqa: E402
from web_browser import browsing, looking, serve_history  # noqa: E402 -- after the folder of what tests share
from web_history import make_png  # noqa: E402

PICTURES = CHECKOUT / "docs" / "pictures"
_COLOURS = 64
_FIT = """\
import csv, pathlib, struct, sys, zlib
{make_png}
rate = float(sys.argv[1])
rows = list(csv.DictReader(open("stations.csv")))
out = pathlib.Path("results")
out.mkdir(exist_ok=True)
trend = "".join(f"{{row['year']}},{{float(row['anomaly']) * rate:.4f}}\\n" for row in rows)
(out / "trend.csv").write_text("year,trend\\n" + trend)
(out / "trend.png").write_bytes(make_png(480, 240, 1 + 10 * rate))
print("fitted", len(rows), "years")
"""
_RUN = """\
#!/bin/sh
python3 fit.py "$2"
sort -r results/trend.csv -o results/sorted.csv
echo "rate $2" >> journal.txt
"""


def make_experiment(folder: Path) -> None:
    """Write an experiment: a script that fits a trend, and what it reads."""
    folder.mkdir(parents=True)
    (folder / "stations.csv").write_text("year,anomaly\n2021,0.85\n2022,0.89\n2023,1.17\n", "utf-8")
    (folder / "fit.py").write_text(_FIT.format(make_png=inspect.getsource(make_png)), "utf-8")
    (folder / "journal.txt").write_text("begun\n", "utf-8")
    script = folder / "run.sh"
    script.write_text(_RUN, "utf-8")
    script.chmod(0o755)


def trace(folder: Path, place: Path) -> list[str]:
    """Trace it with three rates, each in a folder of its own, and return the identifiers of the runs."""
    for rate in ("0.05", "0.1", "0.2"):
        make_experiment(folder / rate)
        said = ["--label", f"trend-{rate}", "-m", "See whether the trend depends on the rate", "-t", "trend"]
        said += ["-t", "paper", "--project", "heatwave"]
        subprocess.run(
            [sys.executable, "-m", "rtrace", "trace", *said, "./run.sh", "--rate", rate],
            cwd=folder / rate,
            check=True,
            env={**os.environ, "RTRACE_HISTORY": str(place)},
            stdin=subprocess.DEVNULL,
        )
    return sorted(open_history(str(place)).identifiers())


def make_pictures() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "history"
        run = f"/run/{trace(Path(folder) / 'heatwave', place)[1]}"
        views = {
            "web-list": ("/", 1100, 430, False),
            "web-run": (run, 1000, 620, False),
            "web-graph": (f"{run}/graph", 1000, 500, False),
            "web-compare": ("/compare?run=trend-0.1&run=trend-0.2", 1000, 600, False),
            "web-phone": ("/", 360, 640, True),
        }
        with serve_history(place) as served, browsing() as browser:
            for name, (path, width, height, dark) in views.items():
                with looking(browser, served, width=width, dark=dark) as seen:
                    seen.page.set_viewport_size({"width": width, "height": height})
                    seen.go(path)
                    # Where the sample lies on this machine is of no interest.
                    seen.page.evaluate(_HIDE, [folder, "/home/ada"])
                    if name == "web-compare":
                        seen.page.get_by_role("heading", name="Outputs").scroll_into_view_if_needed()
                        seen.page.locator(".pair").first.scroll_into_view_if_needed()
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
