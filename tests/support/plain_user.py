"""Run commands as a user without privileges, even from a test suite that runs as root.

The interpreter or the checkout may lie below a folder that only root can enter (a virtual environment in root's home).
So the package and what it depends on are copied, once a session, to a folder that everybody can read.
"""

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path

UID = 12345  # in no passwd file: nothing may depend on the user having a name
DEPENDENCIES = ("ahocorasick-rs", "click", "distro", "pyelftools", "python-ptrace", "PyYAML", "zstandard")
PROBE = "import sys; print('%d.%d' % sys.version_info[:2])"
# setpriv(1) still has its capabilities when it looks for the program it executes; env(1) behind it has none.
DROP = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--", "env", "--")
LAUNCHER = """\
#!{python}
import sys
sys.path.insert(0, {folder!r})
from rtrace.cli import main
sys.exit(main())
"""


@dataclass(frozen=True)
class PlainUser:
    """Somebody without privileges: `run` runs a command as them, in `home` unless told otherwise."""

    home: Path
    rtrace: Path
    prefix: tuple[str, ...] = field(default=())
    uid: int = UID

    def run(
        self,
        *argv: str | bytes | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command as the plain user, and return how it ended and what it printed."""
        return subprocess.run(
            [*self.prefix, *argv],
            cwd=cwd or self.home,
            env={
                "HOME": str(self.home),
                "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                "TMPDIR": str(self.home.parent / "tmp"),  # no word of what others left in /tmp
                **(env or {}),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout,
        )

    def give(self, path: Path) -> None:
        """Make the plain user the owner of a file or of a whole tree."""
        if not self.prefix:
            return
        os.lchown(path, self.uid, self.uid)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.lchown(Path(folder, name), self.uid, self.uid)


@contextlib.contextmanager
def make_plain_user(launcher: Path) -> Iterator[PlainUser]:
    """Yield a plain user with an empty home; remove the home in the end."""
    folder = Path(tempfile.mkdtemp(prefix="rtrace-plain-user-"))
    home = folder / "home"
    try:
        home.mkdir(0o700)
        (folder / "tmp").mkdir(0o700)
        user = PlainUser(home, launcher, DROP, UID) if os.geteuid() == 0 else PlainUser(home, launcher, (), os.getuid())
        user.give(folder)
        yield user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def make_user_with_others(launcher: Path) -> Iterator[PlainUser]:
    """Yield a user of this machine who has subordinate ids, and remove them afterwards. Needs root.

    useradd(8) gives a new user such ids, and newuidmap(1) serves users with a name only.
    """
    name, uid = f"rtrace-test-{os.getpid()}", UID + 1 + os.getpid() % 10_000
    subprocess.run(["useradd", "--no-create-home", "--uid", str(uid), name], check=True, capture_output=True)
    try:
        with make_plain_user(launcher) as user:
            prefix = tuple(word.replace(str(UID), str(uid)) for word in DROP)
            other = PlainUser(user.home, launcher, prefix, uid)
            other.give(user.home.parent)
            yield other
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)


@contextlib.contextmanager
def install_for_everybody() -> Iterator[Path]:
    """Yield a launcher of rtrace in a world-readable folder; remove the folder in the end.

    Raises RuntimeError when no Python of version 3.10 or newer is within a plain user's reach.
    """
    folder = Path(tempfile.mkdtemp(prefix="rtrace-for-everybody-"))
    try:
        folder.chmod(0o755)
        python = find_python()
        copy_distribution("rtrace-repro", folder)
        for package in ("rtrace", "rtrace_unpackers"):
            copy_package(package, folder)
        if run_probe(python) == "{}.{}".format(*sys.version_info[:2]):
            for name in DEPENDENCIES:
                copy_distribution(name, folder)
        else:
            download_dependencies(python, folder)
        launcher = folder / "bin" / "rtrace"
        launcher.parent.mkdir(exist_ok=True)
        launcher.write_text(LAUNCHER.format(python=python, folder=str(folder)))
        subprocess.run([python, "-m", "compileall", "-q", folder], check=True)  # nobody else may write there
        subprocess.run(["chmod", "-R", "a+rX,u+w", folder], check=True)
        launcher.chmod(0o755)
        yield launcher
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_python() -> str:
    """Return an interpreter that a plain user can run: this one's base, or the system's."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    for python in (os.path.realpath(base), "/usr/bin/python3", "/usr/local/bin/python3"):
        version = run_probe(python)
        if version and tuple(map(int, version.split("."))) >= (3, 10):
            return python
    message = f"no Python of version 3.10 or newer is within a plain user's reach: {base} is closed to others"
    raise RuntimeError(message)


def run_probe(python: str) -> str | None:
    """Return the version of an interpreter as the plain user sees it; None when they cannot run it."""
    prefix = DROP if os.geteuid() == 0 else ()
    try:
        probe = subprocess.run([*prefix, python, "-c", PROBE], check=False, capture_output=True, text=True, cwd="/")
    except OSError:
        return None
    return probe.stdout.strip() if probe.returncode == 0 else None


def copy_package(name: str, folder: Path) -> None:
    """Copy the package that tests import under this name, wherever it is imported from."""
    origin = importlib.import_module(name).__file__
    if origin is None:
        message = f"the package {name} has no __init__.py"
        raise RuntimeError(message)
    shutil.copytree(Path(origin).parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def copy_distribution(name: str, folder: Path) -> None:
    """Copy an installed distribution's files; an editable one has little more than its metadata to copy."""
    found = distribution(name)
    for file in found.files or ():
        if ".." in file.parts or file.suffix in {".pth", ".pyc"}:
            continue
        target = folder.joinpath(*file.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(found.locate_file(file)), target)


def download_dependencies(python: str, folder: Path) -> None:
    """Install the dependencies for an interpreter of another version than this one's."""
    version = run_probe(python) or ""
    target = ["--target", str(folder), "--python-version", version, "--only-binary=:all:"]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *target, *DEPENDENCIES], check=True)
