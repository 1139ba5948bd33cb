"""What `appendix`, `figure`, `push` and `pull` answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypedDict

from rtrace.answers.words import Bytes, Identity, Path, Sentence
from rtrace.printable import printable

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from rtrace.operations.publishing.appendix import Written
    from rtrace.operations.publishing.figure import Stamped
    from rtrace.operations.publishing.paper import Paper
    from rtrace.operations.publishing.pulling import Pulled
    from rtrace.operations.publishing.pushing import Pushed


class StampAnswer(TypedDict):
    """What a figure says of itself."""

    run: Annotated[str, "the id of the run that made it"]
    sha256: Annotated[str, "of the file without the stamp"]
    md5: Annotated[str, "of the file without the stamp"]
    label: str | None
    command: str | None
    commit: str | None
    link: Annotated[str | None, "a DOI or URL of the record, or of a bundle that holds the run"]
    bundle: Annotated[str | None, "the identity of that bundle"]
    created_by: str | None


class FigureFileAnswer(TypedDict):
    """A figure as it is now."""

    path: Path
    kind: Annotated[str | None, "PNG, PDF, SVG, JPEG or EPS"]
    sha256: Annotated[str | None, "of the file as it is"]
    md5: Annotated[str | None, "of the file as it is"]
    stamp: StampAnswer | None
    fits: Annotated[bool | None, "whether the file without the stamp is the one that was stamped"]
    problem: Sentence | None


class PaperFigureAnswer(TypedDict):
    """A figure that a LaTeX document includes by its run."""

    name: Annotated[str, "RUN?FILE, as the document has it"]
    run: Annotated[str | None, "the id of the run"]
    link: str | None
    problem: Sentence | None


class FigureAnswer(TypedDict):
    """Figures, and with --tex and --sty the files that were written for LaTeX."""

    figures: list[FigureFileAnswer]
    paper: list[PaperFigureAnswer]
    written: list[Path]


class PushAnswer(TypedDict):
    """A bundle that is in a registry now."""

    path: Path
    identity: Identity
    reference: Annotated[str, "by its digest: what always means this bundle"]
    tag: Annotated[str | None, "the tag that it has there now"]
    digest: Annotated[str, "of its manifest in the registry"]
    content: Annotated[str, "the digest of the file"]
    size: Bytes
    sent: Annotated[bool, "whether the content was sent; false where the registry had it"]
    resumed: Annotated[int, "how many bytes an earlier push had sent, and were not sent again"]
    replaced: Annotated[str | None, "the digest that the tag had before, if it was another"]


class PullAnswer(TypedDict):
    """A bundle that was fetched from a registry."""

    path: Path
    identity: Identity
    reference: Annotated[str, "by its digest: what always means this bundle"]
    digest: Annotated[str, "of its manifest in the registry"]
    size: Bytes
    resumed: Annotated[int, "how many bytes an earlier pull had fetched, and were not fetched again"]


def answer_push(pushed: Pushed) -> PushAnswer:
    """Return what `push` answers."""
    return {
        "path": printable(bytes(pushed.bundle)),
        "identity": pushed.identity,
        "reference": pushed.reference.by_digest(pushed.digest),
        "tag": pushed.reference.tag,
        "digest": pushed.digest,
        "content": pushed.content.digest,
        "size": pushed.content.size,
        "sent": pushed.sent,
        "resumed": pushed.resumed,
        "replaced": pushed.replaced,
    }


def answer_pull(pulled: Pulled) -> PullAnswer:
    """Return what `pull` answers."""
    return {
        "path": printable(bytes(pulled.path)),
        "identity": pulled.identity,
        "reference": pulled.reference.by_digest(pulled.digest),
        "digest": pulled.digest,
        "size": pulled.size,
        "resumed": pulled.resumed,
    }


def answer_figure(
    figures: Iterable[tuple[FilePath, Stamped | None, str | None]], papers: Iterable[Paper], styles: Iterable[FilePath]
) -> FigureAnswer:
    """Return what `figure` answers; a figure that failed has its problem alone."""
    papers = tuple(papers)
    return {
        "figures": [_answer_file(path, stamped, problem) for path, stamped, problem in figures],
        "paper": [
            {"name": one.reference.name, "run": one.run, "link": one.link, "problem": one.problem}
            for paper in papers
            for one in paper.figures
        ],
        "written": [*(str(paper.side_file) for paper in papers), *map(str, styles)],
    }


def _answer_file(path: FilePath, stamped: Stamped | None, problem: str | None) -> FigureFileAnswer:
    stamp = stamped.stamp if stamped is not None else None
    return {
        "path": str(path),
        "kind": stamped.kind if stamped is not None else None,
        "sha256": stamped.sha256 if stamped is not None else None,
        "md5": stamped.md5 if stamped is not None else None,
        "stamp": None
        if stamp is None
        else {
            "run": stamp.run,
            "sha256": stamp.sha256,
            "md5": stamp.md5,
            "label": stamp.label,
            "command": stamp.command,
            "commit": stamp.commit,
            "link": stamp.link,
            "bundle": stamp.bundle,
            "created_by": stamp.created_by,
        },
        "fits": stamped.fits if stamped is not None else None,
        "problem": problem,
    }


class AppendixAnswer(TypedDict):
    """What was written for a committee and an archive."""

    files: list[Path]
    todo: Annotated[list[str], "what only the author knows, marked TODO(author) in the files"]
    identity: Identity


def answer_appendix(written: Written, files: Iterable[FilePath]) -> AppendixAnswer:
    """Return what `appendix` answers."""
    return {"files": [str(file) for file in files], "todo": list(written.todos), "identity": written.identity}
