"""Which tool a path is of. A new tool is a module with an importer, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.record.document import Record


class Importer(Protocol):
    """Reads the records of one tool."""

    @property
    def name(self) -> str:
        """How the tool is called."""
        ...

    def recognises(self, path: str) -> bool:
        """Whether a path is of this tool, by its names and the first bytes of its files."""
        ...

    def read(self, path: str) -> Iterator[Record]:
        """Yield a record for each run. Raises RecordError, in a sentence."""
        ...


def find_importer(path: str) -> Importer | None:
    """Return what reads the records at a path; None when no known tool made it."""
    from rtrace.record.foreign.noworkflow.importer import NoWorkflow
    from rtrace.record.foreign.recipy import Recipy
    from rtrace.record.foreign.sumatra.importer import Sumatra

    importers: tuple[Importer, ...] = (Sumatra(), NoWorkflow(), Recipy())
    return next((importer for importer in importers if importer.recognises(path)), None)
