"""The drawing of the layers, and the lists of them, show the order that the code keeps."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from layers import LAYERS

CHECKOUT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
GROUND, *ABOVE = LAYERS["rtrace"]
FOLDERS = [layer for layer in ABOVE if layer != ("__main__",)]
TEXT = "{http://www.w3.org/2000/svg}text"


def test_drawing_has_the_layers_in_their_order() -> None:
    """From the bottom of the drawing upward, its boxes are the layers of the code; the ground is named in its box."""
    texts = ET.parse(CHECKOUT / "docs/pictures/layers.svg").getroot().iter(TEXT)  # noqa: S314 - ours
    shown = [(float(text.get("y", "0")), float(text.get("x", "0")), text.text or "") for text in texts]
    names = {name for layer in FOLDERS for name in layer}
    rows: dict[float, list[str]] = {}
    for y, x, text in sorted(shown):
        if text in names and x < 560:  # the right half of the drawing is that of the unpackers
            rows.setdefault(y, []).append(text)
    assert [sorted(row) for _, row in sorted(rows.items(), reverse=True)] == [sorted(layer) for layer in FOLDERS]
    assert any(sorted(text.split(", ")) == sorted(GROUND) for _, _, text in shown)


def test_drawing_has_the_unpackers_layers() -> None:
    """The right half shows the layers of the unpackers, in their order."""
    texts = ET.parse(CHECKOUT / "docs/pictures/layers.svg").getroot().iter(TEXT)  # noqa: S314 - ours
    right = [(float(text.get("y", "0")), text.text or "") for text in texts if float(text.get("x", "0")) > 700]
    layers = {" · ".join(layer) for layer in LAYERS["rtrace_unpackers"]}
    shown = [text for _, text in sorted(right, reverse=True) if text in layers]
    assert shown == [" · ".join(layer) for layer in LAYERS["rtrace_unpackers"]]


def test_contributing_says_the_order() -> None:
    """The order of the layers in CONTRIBUTING.md is that of the code."""
    text = (CHECKOUT / "CONTRIBUTING.md").read_text("utf-8")
    said = next(re.finditer(r"^> (ground <(?:.*\n>? ?)*?.*cli)$", text, re.MULTILINE))[1].replace("\n> ", " ")
    assert said == " < ".join(["ground", *(", ".join(layer) for layer in FOLDERS)])


@pytest.mark.parametrize("name", [name for layer in FOLDERS for name in layer])
def test_architecture_tells_of_every_folder(name: str) -> None:
    """The table of the architecture has a row for each folder and module of the layers."""
    rows = re.findall(r"^\| `([^`]+)` \|", (CHECKOUT / "docs/architecture/index.md").read_text("utf-8"), re.MULTILINE)
    assert {f"{name}/", f"{name}.py"} & set(rows)
