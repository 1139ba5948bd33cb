"""The document of a record: its keys and their types. FORMAT.md describes it, `rtrace schema --of record` checks it.

Every key is there, null (or an empty list) where nothing is known. Names and arguments are text; bytes that are not
UTF-8 are single surrogates, as in PEP 383, and the JSON is plain ASCII, so that they survive. Times are UTC, ISO 8601
with microseconds and ``Z``; durations are seconds, sizes are bytes, digests are lower-case hexadecimal.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

Json: TypeAlias = dict[str, object]
Time: TypeAlias = Annotated[str, "UTC, ISO 8601 with microseconds and Z"]

Status: TypeAlias = Literal["succeeded", "failed", "killed", "crashed", "unknown"]
"""How a run ended: status 0, another one, a signal, or its tracer was ended before it."""

Kind: TypeAlias = Literal["run", "replay", "verification"]


class FileFact(TypedDict):
    """A file as a run read or left it."""

    path: Annotated[str, "absolute"]
    size: int | None
    sha256: Annotated[str | None, "null when the file was not digested; `problem` then says why"]
    md5: Annotated[str | None, "of outputs alone: what TeX can compute"]
    stamped: Annotated[list[str], "SHA-256 of this file with a stamp of `rtrace figure` in it"]
    media_type: str | None
    modified: Time | None
    problem: Annotated[str | None, "why there is no digest, in a sentence"]


class ProjectFact(TypedDict):
    """What a run belongs to."""

    name: str
    description: str | None
    url: str | None


class UserFact(TypedDict):
    """Who ran it."""

    name: str | None
    full_name: Annotated[str | None, "from the user database or git's configuration"]
    email: str | None
    uid: int | None
    gid: int | None
    groups: list[int]


class GpuFact(TypedDict):
    """A graphics processor."""

    name: str | None
    driver: Annotated[str | None, "name and version"]
    address: Annotated[str | None, "on the bus"]


class MachineFact(TypedDict):
    """Where it ran."""

    hostname: str | None
    addresses: Annotated[list[str], "of its interfaces, loopback left out"]
    system: Annotated[str | None, "as uname -s"]
    release: Annotated[str | None, "as uname -r"]
    version: Annotated[str | None, "as uname -v"]
    architecture: Annotated[str | None, "as uname -m"]
    bits: int | None
    linkage: Annotated[str | None, "of the main program: ELF"]
    distribution: str | None
    distribution_version: str | None
    processor: Annotated[str | None, "the model's name"]
    processor_flags: list[str]
    cores: int | None
    memory: int | None
    gpus: list[GpuFact]
    libc: Annotated[str | None, "name and version"]
    locale: str | None
    time_zone: str | None
    settings: Annotated[dict[str, str], "sysconf and confstr values by name"]


class SurroundingsFact(TypedDict):
    """What it ran in: each null where it did not."""

    container: Annotated[dict[str, str] | None, "kind (docker, podman, apptainer, lxc, ...), id, image as far as known"]
    batch: Annotated[dict[str, str] | None, "system (slurm, pbs, lsf, sge), job, name, queue, nodes, task ..."]
    mpi: Annotated[dict[str, str] | None, "implementation, rank, size, local_rank"]
    virtual: Annotated[str | None, "the hypervisor"]


class ChangedFile(TypedDict):
    """A file of a working tree that is not as committed."""

    path: str
    state: Annotated[str, "modified, added, deleted, untracked ..."]


class RepositoryFact(TypedDict):
    """A version-controlled working tree that the run touched."""

    type: Annotated[str, "git, hg or svn"]
    path: Annotated[str, "the folder of the working tree"]
    commit: str | None
    branch: str | None
    tag: Annotated[str | None, "of this very commit"]
    committed: Annotated[Time | None, "when the commit was made"]
    remote: Annotated[str | None, "without credentials"]
    upstream: Annotated[str | None, "the remote of a second name `upstream`, without credentials"]
    dirty: bool | None
    changed: list[ChangedFile]
    diff: Annotated[str | None, "what was not committed, as a unified diff"]
    problem: Annotated[str | None, "why something of this is not known, in a sentence"]


class ExecutableFact(TypedDict):
    """A program that was executed."""

    path: str
    name: str
    version: str | None
    build_id: str | None
    sha256: str | None
    size: int | None
    compiler: Annotated[str | None, "from ELF .comment"]
    compiler_flags: Annotated[str | None, "from DW_AT_producer, where there is debugging information"]
    language: str | None
    package: Annotated[str | None, "kind:name that owns it"]
    executions: int


class ScriptFact(TypedDict):
    """A text that an interpreter ran, or a module of the experiment's own that it loaded."""

    path: str
    sha256: str | None
    size: int | None
    interpreter: Annotated[str | None, "the path of the program that ran it"]
    main: bool
    repository: Annotated[int | None, "index in `repositories`"]
    version: Annotated[str | None, "of itself, where it says one"]
    text: Annotated[str | None, "its content, up to a limit"]


class LibraryFact(TypedDict):
    """A library that a process loaded: a shared object, or a module of a language."""

    name: str
    path: str | None
    version: str | None
    build_id: str | None
    language: Annotated[str, "C for shared objects, else Python, R, JavaScript, ..."]
    package: Annotated[str | None, "kind:name that owns it"]


class PackageFact(TypedDict):
    """A package of which the run used files."""

    kind: Annotated[str, "dpkg, rpm, pip, conda, npm, R ..."]
    name: str
    version: str | None
    architecture: str | None
    origin: str | None


class ParameterFact(TypedDict):
    """A named value that chose what the run did."""

    source: Annotated[str, "`command line`, or the path of the file"]
    type: Annotated[str, "command line, yaml, json, toml, ini, key=value"]
    name: Annotated[str, "with dots and [N] for what is nested; a command line's N-th argument without a name is `#N`"]
    value: Annotated[str | int | float | bool | None, "text where it is none of these"]


class StreamFact(TypedDict):
    """What went through a standard stream."""

    kind: Annotated[str, "terminal, pipe, file, null, socket, closed"]
    path: str | None
    size: int | None
    sha256: str | None
    text: Annotated[str | None, "decoded, up to a limit"]
    cut: Annotated[bool, "whether `text` is not all of it"]


class UsageFact(TypedDict):
    """What it took. Bytes are those of read(2) and write(2) and their like, from /proc/PID/io."""

    wall: float | None
    user: float | None
    system: float | None
    peak_memory: Annotated[int | None, "of the largest process, resident"]
    bytes_read: int | None
    bytes_written: int | None


class ProcessFact(TypedDict):
    """A process of the run."""

    id: int
    parent: int | None
    pid: int
    program: Annotated[str | None, "the path that it executed last"]
    arguments: list[str]
    started: Annotated[float | None, "seconds after the run began"]
    usage: UsageFact
    exit_code: int | None
    signal: int | None
    rank: str | None
    host: str | None


class NoticeFact(TypedDict):
    """Something that could not be captured."""

    kind: str
    what: str
    advice: str


class Annotation(TypedDict):
    """What a person said later; a record's reason, outcome, tags and label are those after all of these."""

    id: Annotated[str, "UUIDv7"]
    at: Time
    by: str | None
    label: str | None
    reason: str | None
    outcome: str | None
    add_tags: list[str]
    remove_tags: list[str]


class VerdictFact(TypedDict):
    """What `rtrace verify` or `rtrace repeat` found."""

    verdict: Annotated[str, "same, equal, close, different, unknown"]
    exit_status: int
    unpacker: str | None
    compared: int | None
    differences: Annotated[list[str], "a sentence each, the first hundred"]


class BundleFact(TypedDict):
    """A bundle that holds the run."""

    path: str
    identity: Annotated[str | None, "sha256: and the manifest's digest"]
    run: Annotated[str | None, "the run's name in it"]
    doi: str | None


class KeptFile(TypedDict):
    """A copy of an output in a data store."""

    path: str
    sha256: str
    url: str


class Record(TypedDict):
    """One run, replay or verification."""

    format: int
    kind: Kind
    id: Annotated[str, "UUIDv7"]
    label: Annotated[str | None, "a name that a person gave; unique by convention alone"]
    parent: Annotated[str | None, "id of the record that this one repeats, replays or verifies"]
    created_by: Annotated[str, "rtrace and its version, or the tool that was imported from"]
    reason: str | None
    outcome: str | None
    tags: list[str]
    project: ProjectFact | None
    status: Status
    exit_code: int | None
    signal: int | None
    started: Time | None
    finished: Time | None
    usage: UsageFact
    arguments: Annotated[list[str], "the command that was run, word by word"]
    workingdir: str | None
    main: Annotated[str | None, "the path of the main script, else of the program"]
    launch: Annotated[str, "serial, mpi, batch, distributed"]
    user: UserFact
    machine: MachineFact
    surroundings: SurroundingsFact
    repositories: list[RepositoryFact]
    executables: list[ExecutableFact]
    scripts: list[ScriptFact]
    libraries: list[LibraryFact]
    packages: list[PackageFact]
    parameters: list[ParameterFact]
    inputs: list[FileFact]
    outputs: list[FileFact]
    environment: dict[str, str]
    stdin: StreamFact | None
    stdout: StreamFact | None
    stderr: StreamFact | None
    processes: list[ProcessFact]
    notices: list[NoticeFact]
    redacted: Annotated[list[str], "what was taken out as a secret: its place and kind, never its value"]
    ranks: Annotated[list[Json], "of a parallel run: rank, host, exit_code, usage of each"]
    annotations: list[Annotation]
    verdict: VerdictFact | None
    trace: Annotated[str | None, "the trace directory, as an absolute path"]
    run_name: Annotated[str | None, "the run's name in it"]
    bundles: list[BundleFact]
    kept: list[KeptFile]
    imported: Annotated[Json | None, "of an imported record: `tool`, and all that it said, under its own keys"]
