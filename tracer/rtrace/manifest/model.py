"""What a manifest says, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

MANIFEST_FORMAT = 1

_INTERRUPTING = {1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 9: "SIGKILL", 15: "SIGTERM"}
"""Signals by which people and batch systems end a program; signal(7)."""

Environment = tuple[tuple[bytes, bytes | None], ...]
"""Names and values in the order of the original; an item without ``=`` has None for its value."""


@dataclass(frozen=True, slots=True)
class Input:
    """The file or folder that was standard input, and the offset at which it was read from.

    ``pipe``: what the file holds came through a pipe, and a replay gets it through one.
    """

    path: bytes
    offset: int = 0
    pipe: bool = False


LARGEST_DESCRIPTOR = 1023
"""The largest number of a descriptor that a replay is given; with the usual limit a process has no larger one."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a run found at a descriptor when it began, besides standard streams that lead somewhere.

    ``kind`` is ``file`` (a file, folder or device at ``path``, opened for the words of ``access`` and read from
    ``offset``), ``pipe`` (which brings what is in the file at ``path``), ``same`` (the same as the lower descriptor
    ``same``), ``null`` (something that a replay cannot be given: it has the null device there), or ``closed``, of a
    standard stream.
    """

    number: int
    kind: str
    path: bytes | None = None
    offset: int = 0
    access: str = "read"
    same: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How strictly an output is compared with what a replay gives; None or empty is what is not said here.

    ``tolerance`` is the largest difference of two numbers by which they are close, relative to the larger one;
    ``absolute`` one that is allowed whatever their size. ``ignore`` are regular expressions of Python's ``re`` for
    lines, columns, members and paths such as ``/meta/created`` that are left out. ``unordered``: lines, rows and items
    may come in any order.
    """

    tolerance: float | None = None
    absolute: float | None = None
    ignore: tuple[str, ...] = ()
    unordered: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """What a run wrote to standard output or error. ``kind`` is what that was: terminal, pipe or file.

    ``size`` and ``sha256`` are those of the bytes that the program wrote, None when they are not known; a terminal's
    ``window`` is rows and columns. ``cut``: its reader went away after that much. ``joined``: it was the same as
    standard output, which then holds both. ``compare`` is how strictly a verification compares it.
    """

    kind: str
    size: int | None = None
    sha256: str | None = None
    window: tuple[int, int] | None = None
    cut: bool = False
    joined: bool = False
    compare: Comparison | None = None


def locate_program(binary: bytes, workingdir: bytes) -> bytes:
    """Return the absolute path of a file as execve(2) was given it."""
    return binary if binary.startswith(b"/") else workingdir.rstrip(b"/") + b"/" + binary.removeprefix(b"./")


@dataclass(frozen=True, slots=True)
class Run:
    """One traced command, with all that a replay needs to start it again.

    ``binary`` is the file as execve(2) was given it, absolute or from ``workingdir`` (a script's own path, not its
    interpreter's): a script has it for its name. ``umask`` and the ids are as numbers.
    ``exit_code`` and ``signal`` are both None when the end of the run was not seen. Times are seconds since the Epoch,
    None where they are not known.
    ``stdin``, ``stdout`` and ``stderr`` are None where there is nothing to replay or to compare.
    ``needs`` are the ids of earlier runs that wrote what this one used.
    ``system`` is sysname and release of uname(2); ``distribution`` is name and version of os-release(5).
    """

    id: str
    argv: tuple[bytes, ...]
    binary: bytes
    workingdir: bytes
    environ: Environment
    uid: int
    gid: int
    groups: tuple[int, ...]
    umask: int
    hostname: str
    architecture: str
    system: tuple[str, str]
    distribution: tuple[str, str]
    started: float | None
    finished: float | None
    exit_code: int | None
    signal: int | None
    stdin: Input | None = None
    stdout: Output | None = None
    stderr: Output | None = None
    descriptors: tuple[Descriptor, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def program(self) -> bytes:
        """The absolute path of what was executed."""
        return locate_program(self.binary, self.workingdir)

    @property
    def closed(self) -> frozenset[int]:
        """The standard streams that were closed when it began."""
        return frozenset(descriptor.number for descriptor in self.descriptors if descriptor.kind == "closed")

    @property
    def lacks_input(self) -> bool:
        """Whether standard input brought what is not kept."""
        return any(descriptor.number == 0 and descriptor.kind == "null" for descriptor in self.descriptors)

    @property
    def exit_status(self) -> int | None:
        """The status a shell would show: 128+N when signal N ended the run; None when its end was not seen."""
        return 128 + self.signal if self.signal is not None else self.exit_code

    @property
    def interruption(self) -> str | None:
        """How somebody ended the run before it was done: ``interrupted by SIGINT``; None where nobody did."""
        status = self.exit_status
        name = None if status is None else _INTERRUPTING.get(status - 128)
        if name is None or (self.signal is None and name == "SIGHUP"):  # by 129 git, and others, tell of wrong usage
            return None
        how = "" if self.signal is not None else f", as its exit status {status} tells"
        return f"interrupted by {name}{how}"


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package that owns files the runs touched. ``size`` is that of the touched files, in bytes.

    ``origin`` is where its manager has it from (a source package, an address, a channel); empty where it is not known.
    """

    name: str
    version: str
    architecture: str
    manager: str
    files: int
    size: int
    pack: bool = True
    origin: str = ""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """An input or an output: a file with a name by which a person replaces or fetches it.

    ``pattern`` is a glob pattern for an output whose path changes from run to run, None for one whose path stays.
    ``compare`` is how strictly an output is compared, that of a folder for all in it.
    """

    name: str
    path: bytes
    runs: tuple[str, ...]
    pattern: bytes | None = None
    compare: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that could not be captured faithfully: what happened, and what to do about it."""

    kind: str
    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class Folder:
    """How many files below a folder, and the bytes of their content."""

    path: bytes
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Completion:
    """Files that a rule adds to those that were traced: the rest of something that loads lazily, and its bytes."""

    rule: str
    name: str
    files: int
    size: int
    pack: bool = True


class SecretPack(str, Enum):
    """What becomes of a secret: packed as it is, made unreadable where it stands, or left out with what holds it."""

    AS_IT_IS = "true"
    REDACTED = "redacted"
    LEFT_OUT = "false"


@dataclass(frozen=True, slots=True)
class Secret:
    """What looks like a secret, by its place and the rule that found it, and what becomes of it.

    In a manifest that a person edits, ``place`` may be ``file`` and a pattern, and ``rule`` None: any.
    """

    place: str
    rule: str | None
    what: str
    pack: SecretPack


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Content that is left out of the bundle, and where it can be fetched.

    In a trace directory ``path`` is a pattern, and a ``url`` that ends in ``/`` stands for a folder that has the files
    by their names; ``size`` and ``sha256`` may be None. In a bundle it is one file, and all but ``url`` is known.
    """

    path: bytes
    size: int | None = None
    sha256: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that a paper says, and by what a reader can judge it.

    ``outputs`` are names of outputs, or ``stdout`` and ``stderr`` of the run; none stand for all that the run's verdict
    is made of. ``tolerance`` is the largest difference of two numbers in them, relative to the larger one; None where
    that of the outputs applies.
    """

    claim: str
    run: str
    outputs: tuple[str, ...] = ()
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole manifest. ``exclude`` and ``include`` are glob patterns over absolute paths (``**`` crosses ``/``).

    ``ignore`` are such patterns, too, and ``stdout`` and ``stderr``: what is no part of a verdict.
    """

    rtrace: str
    runs: tuple[Run, ...]
    inputs: tuple[NamedFile, ...] = ()
    outputs: tuple[NamedFile, ...] = ()
    packages: tuple[Package, ...] = ()
    completion: tuple[Completion, ...] = ()
    exclude: tuple[bytes, ...] = ()
    include: tuple[bytes, ...] = ()
    ignore: tuple[bytes, ...] = ()
    claims: tuple[Claim, ...] = ()
    secrets: tuple[Secret, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    notices: tuple[Notice, ...] = ()
    unowned: tuple[Folder, ...] = ()
    """Where the files lie that belong to no package and not to the experiment."""
    digests: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the bundle's other members by their name; empty in a trace directory."""
    folders: tuple[Folder, ...] = field(default=(), compare=False)
    """Where the files of the experiment lie: a comment in the YAML, which reading it does not give back."""
