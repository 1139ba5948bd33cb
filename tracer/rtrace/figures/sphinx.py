"""A directive for Sphinx: ``rtrace-figure``, a figure that must be the one that its run made.

    extensions = ["rtrace.figures.sphinx"]

    .. rtrace-figure:: first-try?figures/plot.svg
       :digest: SHA-256 of the file as the run wrote it

       The caption.

What the figure says of itself, its stamp, is compared with what it is; no history is asked. One that does not fit is a
warning of Sphinx, which ``sphinx-build --fail-on-warning`` stops at. The figure links to its run.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.parsers.rst.directives.images import Figure as PlainFigure
from sphinx.util import logging

from rtrace import __version__
from rtrace.figures.kinds import read_figure
from rtrace.figures.stamp import Stamp, UnfitError

_LARGEST = 512 << 20


class RtraceFigure(PlainFigure):
    """The directive ``figure``, whose file is checked before; all its options work as well."""

    option_spec: ClassVar[dict[str, Any]] = {**PlainFigure.option_spec, "digest": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Check the figure, and make it what ``figure`` makes of it, as a link to its run."""
        run, mark, file = self.arguments[0].partition("?")
        run, file = (run, file) if mark else ("", run)
        environment = self.state.document.settings.env
        _relative, path = environment.relfn2path(file)
        environment.note_dependency(path)
        stamp, problem = check_figure(Path(path), run, self.options.pop("digest", None))
        if problem is not None:
            place = (environment.docname, self.lineno)
            logging.getLogger(__name__).warning("%s: %s", file, problem, type="rtrace", location=place)
        if stamp is not None and stamp.link is not None and stamp.link.startswith(("http://", "https://")):
            self.options.setdefault("target", stamp.link)
        self.arguments[0] = file
        made: list[nodes.Node] = super().run()
        return made


def check_figure(path: Path, run: str, digest: str | None) -> tuple[Stamp | None, str | None]:
    """Return the stamp of a figure, and what is wrong with it: not stamped, changed since, or of another run.

    ``run`` is a label, the beginning of an id, or empty; ``digest`` the SHA-256 of the file without the stamp.
    """
    try:
        if path.stat().st_size > _LARGEST:
            return None, "it is too large to be checked"
        figure = read_figure(path.read_bytes())
        stamp = figure.stamp
    except OSError as error:
        return None, f"it cannot be read: {error.strerror}"
    except UnfitError as error:
        return None, f"it cannot be checked: {error}"
    plain = hashlib.sha256(figure.plain).hexdigest()
    if digest is not None and digest.lower() != plain:
        return stamp, f"its SHA-256 is {plain}, not {digest}"
    if stamp is None:
        return None, None if digest is not None and not run else "it has no stamp; make one with `rtrace figure`"
    if stamp.sha256 != plain:
        return stamp, "it has been changed since it was stamped; make it again"
    if run and run != stamp.label and not stamp.run.startswith(run):
        return stamp, f"it was made by run {stamp.run}, not by {run}"
    return stamp, None


def setup(app: Any) -> dict[str, object]:  # noqa: ANN401 -- Sphinx's application
    """Add the directive to Sphinx."""
    app.add_directive("rtrace-figure", RtraceFigure)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
