"""Draw the layers of the code, from the ground up: docs/pictures/layers.svg. `scripts/docs --draw` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from layers import CHECKOUT, LAYERS

PICTURE = CHECKOUT / "docs" / "pictures" / "layers.svg"

# What each folder is about, in a few words; a box without any is no reason to fail.
_WORDS = {
    "answers": "what --json answers, and its schemas",
    "bundle": "one file",
    "cache": "trees that replays share",
    "capture": "tracing",
    "chroot": "a tree of files",
    "cli": "one file a command; the only place that prints",
    "describe": "a trace told as a manifest",
    "elsewhere": "content that is fetched",
    "engines": "Docker, Podman",
    "files": "what every part knows of files",
    "isolation": "namespaces, users, seccomp",
    "launchers": "the first process",
    "limits": "control groups",
    "freezing": "what differs from run to run, held still",
    "linux": "the C library, BPF, signals",
    "manifest": "the YAML that a person edits",
    "opening": "which format is it?",
    "operations": "one file a command; prints nothing",
    "pack": "plan a bundle, carry it out",
    "packages": "whose a file is",
    "privacy": "secrets, names of people",
    "replay": "what an unpacker and a target are",
    "reprozip": "ReproZip's bundles",
    "target": "a target's life",
    "trace": "the trace directory",
    "verify": "compare, judge",
}
# What unpackers may use of rtrace: what reads a bundle anywhere.
_FORMAT_HALF = frozenset(
    ["bundle", "elsewhere", "files", "freezing", "ground", "linux", "manifest", "opening", "replay", "reprozip"]
)
_CAPTION = ("Unpackers use what is green, and", "nothing else of rtrace: so they", "work where nothing can be traced.")
_GREEN, _BLUE, _SAND = "#e3f2e6", "#eef3fb", "#fdf1e0"
_WIDTH, _HEIGHT, _GAP, _TOP = 520, 40, 7, 44
_LEFT, _RIGHT, _NARROW = 24, 600, 236

Row = list[tuple[str, str]]


def draw_layers() -> str:
    """Return the picture: the layers of rtrace on the left, those of rtrace_unpackers on the right."""
    _ground, *above = LAYERS["rtrace"]
    ours = [_describe(layer) for layer in above if layer != ("__main__",)]
    theirs = [_describe(layer, _WORDS | {"files": "laying them out"}) for layer in LAYERS["rtrace_unpackers"]]
    ours.insert(0, [("ground", "errors, signals, progress, what can be printed: every part may use it")])
    height = _TOP + len(ours) * (_HEIGHT + _GAP) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 {height}" width="860" height="{height}" role="img"',
        'aria-label="The layers of rtrace, from the ground up" font-family="system-ui, sans-serif">',
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">',
        '<path d="M0 0 10 5 0 10z" fill="#444"/></marker></defs>',
        f'<rect width="860" height="{height}" rx="8" fill="#fff"/>',
        _title(_LEFT, "rtrace: imports point down"),
        _title(_RIGHT, "rtrace_unpackers"),
    ]
    for place, row in enumerate(reversed(ours)):
        parts += _draw_row(row, _LEFT, _TOP + place * (_HEIGHT + _GAP), _WIDTH, None)
    names = [row[0][0] for row in reversed(ours)]
    first = _TOP + names.index("replay") * (_HEIGHT + _GAP)
    for place, row in enumerate(reversed(theirs)):
        parts += _draw_row(row, _RIGHT, first + place * (_HEIGHT + _GAP), _NARROW, _SAND)
    last = first + len(theirs) * (_HEIGHT + _GAP) - _GAP
    opening = max(_TOP + names.index("opening") * (_HEIGHT + _GAP) + _HEIGHT // 2, last + 20)
    edge, middle = _LEFT + _WIDTH + 4, _RIGHT + _NARROW // 2
    parts += [
        _arrow(f"{_RIGHT},{first + _HEIGHT // 2} {edge},{first + _HEIGHT // 2}"),
        _arrow(f"{middle},{last} {middle},{opening} {edge},{opening}"),
        *(
            f'<text x="{_RIGHT}" y="{opening + 34 + 16 * place}" font-size="12" fill="#44505f">{line}</text>'
            for place, line in enumerate(
                (
                    "Unpackers use what is green, and",
                    "nothing else of rtrace: so they",
                    "work where nothing can be traced.",
                )
            )
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _describe(layer: tuple[str, ...], words: Mapping[str, str] = _WORDS) -> Row:
    return [(name, words.get(name, "")) for name in layer]


def _draw_row(row: Row, left: int, top: int, width: int, fill: str | None) -> Iterator[str]:
    """Yield the boxes of one layer, side by side."""
    each = (width - (len(row) - 1) * _GAP) / len(row)
    for place, (name, words) in enumerate(row):
        x = left + place * (each + _GAP)
        colour = fill or (_GREEN if name in _FORMAT_HALF else _BLUE)
        yield (
            f'<rect x="{x:g}" y="{top}" width="{each:g}" height="{_HEIGHT}" rx="5" fill="{colour}" stroke="#5b6b85"/>'
            f'<text x="{x + each / 2:g}" y="{top + 17}" text-anchor="middle" font-size="14" font-weight="600"'
            f' fill="#1c2430" font-family="ui-monospace, monospace">{name}</text>'
            f'<text x="{x + each / 2:g}" y="{top + 33}" text-anchor="middle" font-size="{11 if fill else 12}"'
            f' fill="#44505f">{escape(words)}</text>'
        )


def _title(x: int, text: str) -> str:
    return f'<text x="{x}" y="28" font-size="13" font-weight="600" fill="#1c2430">{text}</text>'


def _arrow(points: str) -> str:
    return f'<polyline points="{points}" fill="none" stroke="#444" stroke-width="1.5" marker-end="url(#tip)"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw_layers(), "utf-8")
