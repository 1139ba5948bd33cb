"""A history of a few runs with real files, for the pages that show it; one run is hostile in every field."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from rtrace.record.document import FileFact, ProcessFact, Record
from rtrace.record.empty import empty_record, empty_usage
from rtrace.record.history.opening import open_history

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><script>window.top.owned = 1</script>'
    b'<rect width="40" height="20" fill="teal"/></svg>'
)
CSV = b"year,anomaly\n2021,0.85\n2022,0.89\n2023,1.17\n"
SCRIPT = b"import pandas\n\n# Fit a trend.\ntable = pandas.read_csv('stations.csv')\n"


def make_png(width: int, height: int, bend: float = 2) -> bytes:
    """Return a picture with a curve in it, as PNG."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            near = abs(y - height * (0.8 - 0.6 * (x / width) ** bend)) < 3
            rows += b"\x0b\x5c\x82" if near else b"\xf4\xf6\xf8"
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def write_file(path: Path, data: bytes, media_type: str | None = None) -> FileFact:
    """Write a file, and return what a record says of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {
        "path": str(path),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "md5": None,
        "stamped": [],
        "media_type": media_type,
        "modified": "2026-11-29T10:15:30.000000Z",
        "problem": None,
    }


def make_process(number: int, parent: int | None, *arguments: str) -> ProcessFact:
    """Return a process of a run."""
    return {
        "id": number,
        "parent": parent,
        "pid": 4000 + number,
        "program": f"/usr/bin/{os.path.basename(arguments[0])}",
        "arguments": list(arguments),
        "started": 0.1 * number,
        "usage": {**empty_usage(), "wall": 1.5, "user": 1.2, "system": 0.1, "peak_memory": 84 << 20},
        "exit_code": 0,
        "signal": None,
        "rank": None,
        "host": None,
    }


def make_run(folder: Path, rate: float = 0.1) -> Record:
    """Return the record of a run that fitted a trend and drew it, with its files."""
    record = empty_record()
    record["label"] = f"trend-{rate}"
    record["reason"] = "See whether the trend depends on the rate"
    record["tags"] = ["paper", "trend"]
    record["project"] = {
        "name": "heatwave",
        "description": "Heat waves in Europe",
        "url": "https://example.org/heatwave",
    }
    record["status"], record["exit_code"] = "succeeded", 0
    record["started"], record["finished"] = "2026-11-29T10:15:22.000000Z", "2026-11-29T10:15:30.000000Z"
    record["usage"] = {**empty_usage(), "wall": 8.25, "user": 6.5, "system": 0.4, "peak_memory": 310 << 20}
    record["arguments"] = ["./run.sh", "--rate", str(rate)]
    record["workingdir"] = str(folder)
    record["main"] = str(folder / "run.sh")
    record["user"]["name"] = "ada"
    record["machine"].update(
        {"hostname": "lovelace", "system": "Linux", "release": "6.12.0", "distribution": "debian", "cores": 8}
    )
    record["machine"]["memory"] = 32 << 30
    record["environment"] = {"LANG": "C.UTF-8", "HOME": "/home/ada", "OMP_NUM_THREADS": "4"}
    record["parameters"] = [{"source": "command line", "type": "command line", "name": "rate", "value": rate}]
    record["inputs"] = [
        write_file(folder / "stations.csv", CSV, "text/csv"),
        write_file(folder / "settings.yml", b"rate: 0.1\nwindow: 30\n", "application/yaml"),
    ]
    record["outputs"] = [
        write_file(folder / f"results/trend-{rate}.png", make_png(480, 240), "image/png"),
        write_file(folder / f"results/table-{rate}.csv", CSV.replace(b"0.85", str(rate).encode()), "text/csv"),
        write_file(folder / f"results/notes-{rate}.txt", f"slope {rate}\n".encode(), "text/plain"),
        write_file(folder / "results/logo.svg", SVG, "image/svg+xml"),
    ]
    script = write_file(folder / "fit.py", SCRIPT)
    record["scripts"] = [
        {
            "path": script["path"],
            "sha256": script["sha256"],
            "size": script["size"],
            "interpreter": "/usr/bin/python3",
            "main": False,
            "repository": 0,
            "version": None,
            "text": SCRIPT.decode(),
        }
    ]
    record["repositories"] = [
        {
            "type": "git",
            "path": str(folder),
            "commit": "3f786850e387550fdab836ed7e6dc881de23001b",
            "branch": "main",
            "tag": None,
            "committed": "2026-11-28T09:00:00.000000Z",
            "remote": "https://example.org/heatwave.git",
            "upstream": None,
            "dirty": True,
            "changed": [{"path": "fit.py", "state": "modified"}],
            "diff": "--- a/fit.py\n+++ b/fit.py\n@@ -1 +1 @@\n-import numpy\n+import pandas\n",
            "problem": None,
        }
    ]
    record["packages"] = [
        {"kind": "pip", "name": "pandas", "version": "2.2.3", "architecture": None, "origin": None},
        {"kind": "dpkg", "name": "python3.11", "version": "3.11.2-6", "architecture": "amd64", "origin": "Debian"},
    ]
    record["stdout"] = {
        "kind": "terminal",
        "path": None,
        "size": 13,
        "sha256": None,
        "text": "fitting ...\n2 stations\n",
        "cut": False,
    }
    record["processes"] = [
        make_process(1, None, "./run.sh", "--rate", str(rate)),
        make_process(2, 1, "python3", "fit.py", "--rate", str(rate)),
        make_process(3, 1, "gnuplot", "trend.plt"),
        *(make_process(number, 2, "gzip", f"part-{number}") for number in range(4, 12)),
    ]
    return record


def make_repeat(record: Record) -> Record:
    """Return the record of a verification of a run."""
    repeat = empty_record("verification")
    repeat["parent"] = record["id"]
    repeat["status"], repeat["exit_code"] = "succeeded", 0
    repeat["started"] = "2026-11-29T12:00:00.000000Z"
    repeat["arguments"] = ["rtrace", "verify", "bundle.rpz"]
    repeat["verdict"] = {"verdict": "same", "exit_status": 0, "unpacker": "chroot", "compared": 4, "differences": []}
    return repeat


def fill_history(place: Path | str, folder: Path) -> list[Record]:
    """Fill a history with two runs and a verification, and return them."""
    first, second = make_run(folder, 0.1), make_run(folder, 0.2)
    second["started"] = "2026-11-29T11:15:22.000000Z"
    records = [first, second, make_repeat(first)]
    history = open_history(str(place))
    for record in records:
        history.add(record)
    history.catalogue().close()  # and the connection with it, where there is one
    return records


_FORMED = frozenset({"modified", "committed"})
"""Keys whose values have to be times."""


def poison(value: object, text: str) -> object:
    """Return a value with a text in the place of every text in it, keys of free mappings included."""
    if isinstance(value, str):
        return text
    if isinstance(value, Mapping):
        return {key: one if key in _FORMED else poison(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [poison(one, text) for one in value]
    return value


def make_hostile(record: Record, text: str) -> Record:
    """Return a record of which every free text is another one; what has to have a certain form keeps it."""
    hostile = cast("Record", poison(record, text))
    fresh = empty_record()
    hostile["id"], hostile["kind"], hostile["status"], hostile["created_by"] = fresh["id"], "run", "failed", "rtrace"
    hostile["started"] = hostile["finished"] = hostile["parent"] = None
    hostile["environment"] = {text: text}
    hostile["redacted"] = [text]
    return hostile
