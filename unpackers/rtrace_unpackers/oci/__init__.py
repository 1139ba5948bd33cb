"""The exporter ``oci``: an image as one file, which Docker, Podman and others take; no engine is needed to write it.

    layers          which entry of a bundle is in which layer
    writing         the layers, as their contents come
    first_program   the program that a container of it starts: it replays, and verifies
    configuration   what engines read of the image
    archive         the file: the OCI's layout, and what `docker load` reads besides

Uses the launchers and `engines.image`, which has the same image for an engine that is here.
"""

from __future__ import annotations

from pathlib import Path

from rtrace.bundle.protocol import Exported
from rtrace.exports.protocol import Exporting
from rtrace.progress import SILENT, Progress


class OciExporter:
    """Writes images."""

    name = "oci"
    readers = "container engines"
    ending = ".oci.tar"

    def export(self, exporting: Exporting, target: Path, *, progress: Progress = SILENT) -> Exported:
        """Write a new file: complete, or not at all."""
        from rtrace_unpackers.oci.exporting import export_image  # whoever asks for the names needs none of it

        return export_image(exporting, target, progress)


EXPORTER = OciExporter()
