"""A trace directory made by hand, with the real schema and real files: for the tests of what comes after tracing."""

import hashlib
import os
import stat
from contextlib import closing
from pathlib import Path

from rtrace.trace.directory import TraceDirectory, close
from rtrace.trace.schema import Use

TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
}


class TraceBuilder:
    """Plays the tracer: notes what is at a path, keeps copies, and takes down what a run left."""

    def __init__(self, folder: Path) -> None:
        self.directory = TraceDirectory(folder / ".rtrace")
        self.directory.path.mkdir()
        self.connection = self.directory.fill()
        self.home = folder
        self.run = 0
        self.ids: dict[bytes, int] = {}
        self.time = 0

    def begin(
        self,
        *,
        finished: bool = True,
        workingdir: Path | None = None,
        argv: bytes = b"./run.sh\0a b\0",
        binary: bytes | None = None,
    ) -> None:
        """Begin a run; ``argv`` has a NUL after each argument."""
        self.run += 1
        values = {
            "id": self.run,
            "name": f"run{self.run}",
            "argv": argv,
            "environ": b"PATH=/usr/bin\0ODD=\xff\0",
            "binary": binary or bytes(self.home / "run.sh"),
            "workingdir": bytes(workingdir or self.home),
            "uid": 1000,
            "gid": 1000,
            "groups": "4 1000",
            "umask": 0o022,
            "hostname": "box",
            "architecture": "x86_64",
            "sysname": "Linux",
            "release": "6.1",
            "distribution": "debian",
            "distribution_version": "12",
            "engine": "notify",
            "started": 1_700_000_000.0 + self.run,
            "finished": 1_700_000_000.5 + self.run if finished else None,
            "exit_code": 0 if finished else None,
            "signal": None,
        }
        marks = ", ".join("?" * len(values))
        names = ", ".join(values)
        self.connection.execute(f"INSERT INTO runs({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608

    def touch(self, path: Path | bytes, use: int = 0) -> int:
        """Note what is at a path now, unless this run did before, and one use of it (0: seen in a list)."""
        name = path if isinstance(path, bytes) else bytes(path)
        number = self.ids.get(name)
        if number is None:
            number = self.ids[name] = len(self.ids) + 1
            self.connection.execute("INSERT INTO paths VALUES (?, ?)", (number, name))
        self.time += 1
        try:
            state: os.stat_result | None = os.lstat(name)
        except OSError:
            state = None
        facts: tuple[object, ...] = (None,) * 12
        if state is not None:
            kind = TYPES[stat.S_IFMT(state.st_mode)]
            target = os.readlink(name) if kind == "symlink" else None
            facts = (
                kind,
                stat.S_IMODE(state.st_mode),
                state.st_uid,
                state.st_gid,
                state.st_size,
                state.st_mtime_ns,
                state.st_dev,
                state.st_ino,
                state.st_nlink,
                target,
                state.st_ctime_ns,
                state.st_blocks,
            )
        marks = ", ".join("?" * (3 + len(facts)))
        row = (self.run, number, self.time, *facts)
        self.connection.execute(f"INSERT OR IGNORE INTO facts VALUES ({marks})", row)  # noqa: S608
        if use:
            self.connection.execute("INSERT INTO uses VALUES (NULL, ?, 1, ?, ?, ?)", (self.run, self.time, number, use))
        return number

    def read(self, *paths: Path) -> None:
        """Read files."""
        for path in paths:
            self.touch(path, Use.READ)

    def write(self, path: Path, content: bytes | None, *, problem: str | None = None) -> None:
        """Change a file as a run would, a copy of what was there kept; without content, remove it."""
        number = self.touch(path, Use.REMOVE if content is None else Use.WRITE | Use.TRUNCATE | Use.CREATE)
        if path.is_file() and not path.is_symlink():
            file = None if problem else f"{self.run}-{number}"
            if file:
                (self.directory.snapshots / file).write_bytes(path.read_bytes())
            row = (self.run, number, file, problem)
            self.connection.execute("INSERT OR IGNORE INTO snapshots VALUES (?, ?, ?, ?)", row)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)

    def result(self, path: Path, *, digest: bool = True) -> None:
        """Take down what the run left at a path; without digest, as for a file that was too big for it."""
        number = self.ids[bytes(path)]
        try:
            state = path.lstat()
        except OSError:
            row: tuple[object, ...] = (None,) * 8
        else:
            kind = TYPES[stat.S_IFMT(state.st_mode)]
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if kind == "file" and digest else None
            target = os.readlink(bytes(path)) if kind == "symlink" else None
            mode = stat.S_IMODE(state.st_mode)
            row = (kind, mode, state.st_size, state.st_mtime_ns, state.st_dev, state.st_ino, sha256, target)
        marks = ", ".join("?" * (2 + len(row)))
        self.connection.execute(f"INSERT INTO results VALUES ({marks})", (self.run, number, *row))  # noqa: S608

    def notice(self, kind: str, what: str, advice: str) -> None:
        """Note what could not be captured."""
        self.connection.execute("INSERT INTO notices VALUES (NULL, ?, ?, ?, ?)", (self.run, kind, what, advice))

    def finish(self) -> TraceDirectory:
        """Close the database as the tracer does."""
        close(self.connection)
        return self.directory

    def die(self) -> TraceDirectory:
        """Leave the database as a killed tracer does: what was committed is in the write-ahead log."""
        folder = self.directory.path
        copies = {path.name: path.read_bytes() for path in folder.iterdir() if path.name.startswith("trace.sqlite3")}
        with closing(self.connection):
            pass
        for name, content in copies.items():
            (folder / name).write_bytes(content)
        return self.directory
