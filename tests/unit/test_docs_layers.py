"""The drawing of the layers, and the lists of them, show the order that the code keeps."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from documentation.layers_picture import PICTURE, draw_layers
from layers import LAYERS

CHECKOUT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
GROUND, *ABOVE = LAYERS["rtrace"]
FOLDERS = [layer for layer in ABOVE if layer != ("__main__",)]


def test_drawing_shows_the_layers_as_they_are() -> None:
    """The picture in the repository is the one that is made from the order; `scripts/docs --draw` makes it anew."""
    assert PICTURE.read_text("utf-8") == draw_layers()


def test_drawing_has_the_ground_at_its_bottom() -> None:
    """From the bottom of the picture upward, the boxes on the left are the layers from the ground up."""
    texts = ET.fromstring(draw_layers()).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 - ours
    boxes = [(float(text.get("y", "0")), float(text.get("x", "0")), text.text or "") for text in texts]
    left = [name for y, x, name in sorted(boxes, key=lambda box: (-box[0], box[1])) if x < 560]
    names = [name for layer in [("ground",), *FOLDERS] for name in layer]
    assert [name for name in left if name in names] == names


@pytest.mark.parametrize("name", [name for layer in FOLDERS for name in layer])
def test_architecture_tells_of_every_folder(name: str) -> None:
    """The table of the architecture has a row for each folder and module of the layers."""
    rows = re.findall(r"^\| `([^`]+)` \|", (CHECKOUT / "docs/architecture/index.md").read_text("utf-8"), re.MULTILINE)
    assert {f"{name}/", f"{name}.py"} & set(rows)
