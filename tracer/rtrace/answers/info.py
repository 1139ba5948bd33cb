"""What `info` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from rtrace.answers.looking import FoundSecretAnswer, answer_secrets
from rtrace.answers.words import Bytes, Identity, Path, Sentence, write_identity
from rtrace.printable import printable, printable_text
from rtrace.record.bundled import read_bundled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtrace.bundle.counts import Counts
    from rtrace.bundle.protocol import OpenBundle
    from rtrace.manifest.model import Comparison, NamedFile, Notice, Package, Run
    from rtrace.record.document import Record


class CountsAnswer(TypedDict):
    """How many entries of each kind there are; sizes are bytes of content, unpacked."""

    files: Annotated[int, "regular files with their content"]
    size: Bytes
    links: Annotated[int, "symbolic links, and further hard links"]
    folders: int
    placeholders: Annotated[int, "files without their content, which no run needed"]
    fifos: int
    experiment: Annotated[int, "those of the files that belong to the experiment"]
    experiment_size: Bytes


class RepositoryAnswer(TypedDict):
    """A working tree that a run touched."""

    type: Annotated[str, "git, hg or svn"]
    path: Path
    commit: str | None
    dirty: Annotated[bool | None, "whether something in it was not committed"]


class RecordSummaryAnswer(TypedDict):
    """What the record of a run says of it; `rtrace show` has all of a record."""

    id: str
    label: str | None
    reason: str | None
    outcome: str | None
    tags: list[str]
    project: str | None
    repositories: list[RepositoryAnswer]


class RunAnswer(TypedDict):
    """A traced command. Times are seconds since 1970-01-01 UTC."""

    id: str
    argv: list[str]
    binary: Path
    workingdir: Path
    uid: int
    gid: int
    hostname: str
    architecture: str
    system: Annotated[list[str], "name and release of the kernel"]
    distribution: Annotated[list[str], "name and version"]
    started: float | None
    finished: float | None
    exit_code: int | None
    signal: Annotated[int | None, "the signal that ended it"]
    needs: Annotated[list[str], "earlier runs that wrote what it used"]
    record: RecordSummaryAnswer | None


class CompareRuleAnswer(TypedDict):
    """How strictly an output is compared."""

    tolerance: Annotated[float | None, "the largest relative difference of numbers"]
    absolute: Annotated[float | None, "the largest difference of numbers, whatever their size"]
    ignore: Annotated[list[str], "regular expressions for what is left out"]
    order: Annotated[Literal["kept", "any"], "whether lines, rows and items may come in any order"]


class NamedFileAnswer(TypedDict):
    """An input or an output."""

    name: str
    path: Path
    runs: list[str]
    pattern: Annotated[str | None, "a glob pattern, where the path changes from run to run"]
    compare: CompareRuleAnswer | None


class PackageAnswer(TypedDict):
    """An installed package; files and size are those that the runs touched."""

    name: str
    version: str
    architecture: str
    manager: str
    files: int
    size: Bytes
    packed: bool
    origin: Annotated[str | None, "where its manager has it from"]


class ElsewhereAnswer(TypedDict):
    """Content that is left out of the bundle."""

    path: Path
    size: Bytes | None
    sha256: str | None
    url: str | None


class FolderAnswer(TypedDict):
    """Files below a folder that belong to no known package."""

    path: Path
    files: int
    size: Bytes


class NoticeAnswer(TypedDict):
    """Something that could not be captured faithfully."""

    kind: Annotated[str, "a word for it"]
    what: Sentence
    advice: Sentence


class ClaimAnswer(TypedDict):
    """Something that a paper says, and the results that show it."""

    claim: Sentence
    run: str
    outputs: Annotated[list[str], "names of outputs, stdout or stderr; none: all by which the run is judged"]
    tolerance: float | None


class InfoAnswer(TypedDict):
    """What a bundle holds."""

    identity: Identity
    rtrace: Annotated[str, "the version of rtrace that wrote the manifest"]
    maker: Annotated[str, "what wrote the bundle"]
    extensions: list[str]
    counts: CountsAnswer
    incomplete: Annotated[list[str], "what was not there to be packed, a sentence each"]
    runs: list[RunAnswer]
    inputs: list[NamedFileAnswer]
    outputs: list[NamedFileAnswer]
    ignore: Annotated[list[str], "patterns of what is no part of a verdict"]
    claims: list[ClaimAnswer]
    packages: list[PackageAnswer]
    elsewhere: list[ElsewhereAnswer]
    unowned: list[FolderAnswer]
    secrets: list[FoundSecretAnswer]
    notices: list[NoticeAnswer]


def answer_info(bundle: OpenBundle, counts: Counts, incomplete: Sequence[str]) -> InfoAnswer:
    """Return what `info` answers."""
    manifest, records = bundle.manifest, read_bundled(bundle)
    return {
        "identity": write_identity(bundle.identity),
        "rtrace": manifest.rtrace,
        "maker": bundle.maker,
        "extensions": list(bundle.extensions),
        "counts": answer_counts(counts),
        "incomplete": list(incomplete),
        "runs": [answer_run(run, records.get(run.id)) for run in manifest.runs],
        "inputs": [answer_named(file) for file in manifest.inputs],
        "outputs": [answer_named(file) for file in manifest.outputs],
        "ignore": [printable(pattern) for pattern in manifest.ignore],
        "claims": [
            {
                "claim": printable_text(claim.claim),
                "run": claim.run,
                "outputs": list(claim.outputs),
                "tolerance": claim.tolerance,
            }
            for claim in manifest.claims
        ],
        "packages": [answer_package(package) for package in manifest.packages],
        "elsewhere": [
            {"path": printable(one.path), "size": one.size, "sha256": one.sha256, "url": one.url}
            for one in manifest.elsewhere
        ],
        "unowned": [
            {"path": printable(folder.path), "files": folder.files, "size": folder.size} for folder in manifest.unowned
        ],
        "secrets": answer_secrets(manifest.secrets),
        "notices": answer_notices(manifest.notices),
    }


def answer_run(run: Run, record: Record | None) -> RunAnswer:
    """Return a run, with what its record says."""
    return {
        "id": run.id,
        "argv": [printable(argument) for argument in run.argv],
        "binary": printable(run.binary),
        "workingdir": printable(run.workingdir),
        "uid": run.uid,
        "gid": run.gid,
        "hostname": run.hostname,
        "architecture": run.architecture,
        "system": list(run.system),
        "distribution": list(run.distribution),
        "started": run.started,
        "finished": run.finished,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "needs": list(run.needs),
        "record": None if record is None else answer_record_summary(record),
    }


def answer_record_summary(record: Record) -> RecordSummaryAnswer:
    """Return what a person asks first of a record."""
    return {
        "id": record["id"],
        "label": record["label"],
        "reason": record["reason"],
        "outcome": record["outcome"],
        "tags": record["tags"],
        "project": None if record["project"] is None else record["project"]["name"],
        "repositories": [
            {"type": one["type"], "path": one["path"], "commit": one["commit"], "dirty": one["dirty"]}
            for one in record["repositories"]
        ],
    }


def answer_named(file: NamedFile) -> NamedFileAnswer:
    """Return an input or an output."""
    return {
        "name": file.name,
        "path": printable(file.path),
        "runs": list(file.runs),
        "pattern": None if file.pattern is None else printable(file.pattern),
        "compare": None if file.compare is None else answer_rule(file.compare),
    }


def answer_rule(rule: Comparison) -> CompareRuleAnswer:
    """Return how strictly an output is compared."""
    return {
        "tolerance": rule.tolerance,
        "absolute": rule.absolute,
        "ignore": [printable_text(text) for text in rule.ignore],
        "order": "any" if rule.unordered else "kept",
    }


def answer_package(package: Package) -> PackageAnswer:
    """Return a package."""
    return {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "manager": package.manager,
        "files": package.files,
        "size": package.size,
        "packed": package.pack,
        "origin": package.origin or None,
    }


def answer_counts(counts: Counts) -> CountsAnswer:
    """Return counts."""
    return {
        "files": counts.files,
        "size": counts.size,
        "links": counts.links,
        "folders": counts.folders,
        "placeholders": counts.placeholders,
        "fifos": counts.fifos,
        "experiment": counts.experiment,
        "experiment_size": counts.experiment_size,
    }


def answer_notices(notices: Iterable[Notice]) -> list[NoticeAnswer]:
    """Return notices."""
    return [{"kind": notice.kind, "what": notice.what, "advice": notice.advice} for notice in notices]
