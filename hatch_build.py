"""What a wheel gets besides the packages: the manual pages, made of the commands' own help while it is built."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPages(BuildHookInterface):  # type: ignore[type-arg]
    """Writes the pages into a folder for as long as the wheel is being built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Render the pages and name them; an editable installation has none."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root, "tracer")))
        try:
            from rtrace.cli.frame.commands import rtrace
            from rtrace.cli.frame.manual import render_pages
        finally:
            del sys.path[0]
        self.folder = tempfile.TemporaryDirectory()  # removed with this object, when the wheel is there
        for name, page in render_pages(rtrace).items():
            path = Path(self.folder.name, name)
            path.write_text(page, encoding="ascii", newline="\n")
            build_data["shared_data"][str(path)] = f"share/man/man1/{name}"
