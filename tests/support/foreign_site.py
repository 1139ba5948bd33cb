"""Where another system's Python finds what this checkout installs."""

from pathlib import Path

from rtrace.manifest.reading.toml import read_toml

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = CHECKOUT / "tests/support/foreign_machine.py"


def announce_unpackers(site: Path) -> None:
    """Write what announces the unpackers and exporters of this checkout, which need not be installed."""
    points = read_toml((CHECKOUT / "pyproject.toml").read_text())
    for key in ("project", "entry-points"):
        found = points[key]
        assert isinstance(found, dict)
        points = found
    folder = site / "rtrace_repro-0.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: rtrace-repro\nVersion: 0\n")
    lines: list[str] = []
    for group in ("rtrace.unpackers", "rtrace.exports"):
        named = points[group]
        assert isinstance(named, dict)
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in named.items())]
    (folder / "entry_points.txt").write_text("\n".join([*lines, ""]))
