"""Kill commands at random moments, and see what they leave and whether the next command works.

A moment is one of two kinds: just before the command's N-th call that changes something in a folder, found out by
strace(1) in a run that is not killed; or after a random part of the time that such a run takes.
"""

import contextlib
import ctypes
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CHANGES = (
    "mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,creat,truncate,"
    "ftruncate,chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat,flock,fork,vfork,clone,clone3,mknodat"
)
BUNDLE, TARGET, KEPT = "bundle.rpz", "target", "trees"
USED_TARGET = "target, used"
"""A target in which its run was replayed."""
PATIENCE = 30.0
"""Seconds that processes of a killed command may take to end."""
PR_SET_CHILD_SUBREAPER = 36
_WORDS = re.compile(r"Traceback \(most recent call last\)")


@dataclass(frozen=True)
class Case:
    """One command that is to be killed: a folder of its own, and what all commands of its kind start from."""

    folder: Path
    material: Path
    rtrace: tuple[str, ...]
    problems: list[str] = field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, str]:
        """Temporary files of this case are in its folder, and what is kept for the next replay."""
        own = {"TMPDIR": str(self.folder / "tmp"), "RTRACE_CACHE": str(self.folder / KEPT)}
        return {**os.environ, **own, "LC_ALL": "C"}

    def provide(self, name: str) -> None:
        """Copy something of the material into the folder; make a target, which its owner may not be able to read."""
        if name in {TARGET, USED_TARGET}:
            self.call("unpack", "chroot", self.material / BUNDLE, TARGET)
            if name == USED_TARGET:
                self.call("run", TARGET)
            return
        if name == KEPT:
            self.call("run", self.material / BUNDLE)
            return
        subprocess.run(["cp", "-a", self.material / name, self.folder / name], check=True)

    def call(self, *arguments: str | Path, allowed: Iterable[int] = (0,)) -> subprocess.CompletedProcess[str]:
        """Call rtrace; note as a problem when it does not end as it should."""
        done = subprocess.run(
            [*self.rtrace, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode not in allowed or _WORDS.search(done.stderr):
            self.problems.append(f"{arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return done

    def demand(self, truth: object, problem: str) -> None:
        """Note a problem unless something is true."""
        if not truth:
            self.problems.append(problem)

    def expect_only(self, *names: str) -> None:
        """Demand that the folder holds these names and no others, and the one for temporary files nothing."""
        found = sorted(name for name in os.listdir(self.folder) if name not in {"tmp", KEPT})
        self.demand(found == sorted(names), f"in the folder: {', '.join(found)} instead of {', '.join(sorted(names))}")
        temporary = os.listdir(self.folder / "tmp")
        self.demand(not temporary, f"temporary files are left: {', '.join(temporary)}")
        half = [name for name in os.listdir(self.folder / KEPT) if name.startswith(".")] if self.has(KEPT) else []
        self.demand(not half, f"in what is kept for the next replay: {', '.join(half)}")

    def has(self, name: str) -> bool:
        """Whether the folder holds something of a name."""
        return os.path.lexists(self.folder / name)


@dataclass(frozen=True)
class Scenario:
    """A command to kill: how its folder is made ready, its arguments, and what has to be true after the kill."""

    name: str
    arguments: tuple[str, ...]
    judge: Callable[[Case], None]
    copies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kill:
    """One kill: of what, when, whether it came before the command's end, and what was wrong afterwards."""

    scenario: str
    moment: str
    came: bool
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Moment:
    """When a command is killed: before its N-th call of a name, or after some seconds."""

    call: str | None = None
    number: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """Return it as it may follow "killed"."""
        return f"after {self.seconds:.3f} s" if self.call is None else f"before {self.call} {self.number}"


@contextlib.contextmanager
def gathering_orphans(case: Case) -> Iterator[None]:
    """Become the parent of descendants whose parents die in the block; note as a problem when they do not end.

    See PR_SET_CHILD_SUBREAPER in prctl(2). Children from before are left alone.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = list_children()
    try:
        yield
        deadline = time.monotonic() + PATIENCE
        while (orphans := list_children() - before) and time.monotonic() < deadline:
            for orphan in orphans:
                os.waitpid(orphan, os.WNOHANG)
            time.sleep(0.002)
        case.demand(not orphans, "processes are left")
        while orphans := list_children() - before:
            for orphan in orphans:
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def list_children() -> frozenset[int]:
    """Return the ids of this process's children, ended ones included."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = (entry / "stat").read_bytes().rpartition(b")")[2].split()[1]
                if int(parent) == os.getpid():
                    found.add(int(entry.name))
    return frozenset(found)


def start(case: Case, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a command that is going to be killed."""
    return subprocess.Popen(
        command,
        cwd=case.folder,
        env=case.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def make_case(scenario: Scenario, material: Path, rtrace: tuple[str, ...], folder: Path) -> Case:
    """Make the folder of a case ready."""
    (folder / "tmp").mkdir(parents=True)
    case = Case(folder, material, rtrace)
    for name in scenario.copies:
        case.provide(name)
    return case


def measure(scenario: Scenario, material: Path, rtrace: tuple[str, ...], folder: Path) -> tuple[list[str], float]:
    """Return the calls by which a command changes something that is not killed, and how many seconds it takes."""
    case = make_case(scenario, material, rtrace, folder / "counted")
    log = folder / "log"
    command = [*rtrace, *scenario.arguments]
    if start(case, ["strace", "-qq", "-o", str(log), "-e", f"trace={CHANGES}", *command]).wait() != 0:
        raise SystemExit(f"scripts/bench: {scenario.name} does not work without being killed")
    case = make_case(scenario, material, rtrace, folder / "timed")
    began = time.monotonic()
    start(case, command).wait()
    calls = re.findall(r"^(\w+)\(", log.read_text(errors="replace"), re.MULTILINE)
    return calls, time.monotonic() - began


def kill_at_call(case: Case, scenario: Scenario, call: str, number: int) -> bool:
    """Kill a command just before its N-th call of a name; return whether it was killed."""
    inject = f"inject={call}:signal=KILL:when={number}"
    command = ["strace", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", inject, *case.rtrace]
    return start(case, [*command, *scenario.arguments]).wait() == -signal.SIGKILL


def kill_after(case: Case, scenario: Scenario, seconds: float) -> bool:
    """Kill a command after some time; return whether it was still there."""
    running = start(case, [*case.rtrace, *scenario.arguments])
    time.sleep(seconds)
    running.kill()
    return running.wait() == -signal.SIGKILL


def kill_once(case: Case, scenario: Scenario, moment: Moment) -> Kill:
    """Kill a command, and judge what it left."""
    with gathering_orphans(case):
        if moment.call is not None:
            came = kill_at_call(case, scenario, moment.call, moment.number)
        else:
            came = kill_after(case, scenario, moment.seconds)
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    case.demand(str(case.folder.parent) not in mounts, "something is mounted")
    scenario.judge(case)
    return Kill(scenario.name, str(moment), came, tuple(case.problems))


def choose_moments(count: int, calls: Sequence[str], seconds: float, source: random.Random) -> list[Moment]:
    """Choose moments: two of three before a call, the others by time.

    Each kind of call is as likely as another, for a command has many of some and one of that which matters.
    """
    kinds = sorted(set(calls))
    chosen = [source.choice(kinds) for _ in range((2 * count + 2) // 3)]
    before = [Moment(call, source.randint(1, calls.count(call))) for call in chosen]
    return before + [Moment(seconds=source.uniform(0, seconds)) for _ in range(count - len(before))]


def run_kills(
    scenario: Scenario, material: Path, rtrace: tuple[str, ...], count: int, scratch: Path, seed: int
) -> list[Kill]:
    """Kill a command at moments that ``seed`` decides; the folders of those that passed are removed."""
    source = random.Random(f"{seed} {scenario.name}")  # noqa: S311 - nothing is secret here
    kills = []
    with scratch_folder(scratch) as folder:
        calls, seconds = measure(scenario, material, rtrace, folder)
        for number, moment in enumerate(choose_moments(count, calls, seconds, source)):
            case = make_case(scenario, material, rtrace, folder / str(number))
            kill = kill_once(case, scenario, moment)
            verdict = "; ".join(kill.problems) or ("ok" if kill.came else "ok, but it had ended")
            print(f"{scenario.name}, killed {kill.moment}: {verdict}", file=sys.stderr)
            kills.append(kill)
            remove(case.folder)
    return kills


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield a folder, and remove it in the end with all that is in it, also what its owner may not write to."""
    folder = Path(tempfile.mkdtemp(prefix="kills-", dir=parent))
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder, also what its owner may not write to."""
    subprocess.run(["chmod", "-R", "u+rwx", folder], check=True)
    shutil.rmtree(folder)


def format_kills(kills: Sequence[Kill]) -> str:
    """Lay out how many kills of each command there were, how many came before its end, and how many passed."""
    lines = ["| command | kills | before its end | passed | problems |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(kill.scenario for kill in kills):
        own = [kill for kill in kills if kill.scenario == name]
        passed = [kill for kill in own if not kill.problems]
        problems = "; ".join(f"{kill.moment}: {', '.join(kill.problems)}" for kill in own if kill.problems)
        came = sum(kill.came for kill in own)
        lines.append(f"| {name} | {len(own)} | {came} | {len(passed)} | {problems} |")
    return "\n".join(lines)
