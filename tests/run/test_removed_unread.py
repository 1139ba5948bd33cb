"""What a run removes or replaces before anything read it: a name, a size and times, and no content anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from observing import Observation, observe, run_rtrace
from plain_user import PlainUser
from rtrace.bundle.entry import Entry
from rtrace.opening import open_bundle

SECRET = b"the content that nobody read\n"
PYTHON = "/usr/bin/python3 -S -c"
UNREAD = {
    "rm": "rm file",
    "rm -rf": "rm -rf ../{name}",
    "stat and rm": "stat file; rm file",
    "chmod and rm": "chmod 600 file; rm file",
    "made anew and read": "rm file; echo new > file; cat file",
    "truncated and read": "echo new > file; cat file",
    "truncated and appended to": "echo new > file; echo more >> file",
    "truncated by its path": f"{PYTHON} 'import os; os.truncate(\"file\", 0)'",
    "replaced by a rename": "echo new > fresh; mv fresh file; cat file",
    "replaced, and what replaced it renamed": "echo new > fresh; mv fresh file; mv file other; cat other",
    "replaced by cp": "echo new > fresh; cp fresh file",
    "renamed and removed": "mv file other; rm other",
    "removed with its renamed folder": "mv ../{name} ../gone; rm -r ../gone; mkdir ../{name}",
    "removed by another process than the one that looked": "ls -l; (rm file)",
    "replaced by a folder": "rm file; mkdir file; echo new > file/inner; cat file/inner",
}
NEEDED = {
    "read before": "cat file; rm file",
    "read by a child": "(cat file); (rm file)",
    "executed before": "chmod +x file; ./file; rm file",
    "appended to before": "echo more >> file; rm file",
    "partly overwritten before": "printf new | dd of=file conv=notrunc status=none; rm file",
    "kept under another name": "ln file other; rm file",
    "kept by a rename": "mv file other",
    "read under another name": "mv file other; cat other; rm other",
    "read under a name two renames away": "mv file other; cat other; mv other third; rm third",
    "truncated to some of it": f"{PYTHON} 'import os; os.truncate(\"file\", 3)'",
    "read into its own replacement": "sed -i s/a/b/ file",
    "standard input": "rm file; cat",
    "mapped before": f"{PYTHON} 'import mmap; mmap.mmap(open(\"file\").fileno(), 0, prot=mmap.PROT_READ)'; rm file",
}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with the file that all of this is about."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "file").write_bytes(SECRET)
    os.utime(folder / "file", (1_000_000_000, 1_000_000_000))
    return folder


def trace(work: Path, script: str) -> Observation:
    """Trace a script of the shell in a folder."""
    command = ("sh", "-c", script.replace("{name}", work.name))
    with (work / "file").open("rb") if script.endswith("; cat") else open(os.devnull, "rb") as stdin:
        return observe(work.parent / "trace", *command, cwd=work, stdin=stdin)


def pack(work: Path) -> tuple[dict[bytes, Entry], dict[bytes, bytes], bytes]:
    """Pack the trace; return the entries and the contents by path, and what was said."""
    bundle = work.parent / "bundle.rpz"
    packed = run_rtrace("pack", "-d", work.parent / "trace", bundle)
    assert packed.returncode == 0, packed.stderr
    with open_bundle(bundle) as opened:
        entries = {entry.path: entry for entry in opened.entries}
        return (
            entries,
            {one.path: b"".join(parts) for one, parts in opened.stream_data() if not one.placeholder},
            packed.stderr,
        )


@pytest.mark.parametrize("how", UNREAD)
def test_content_that_nobody_read_is_neither_copied_nor_packed(how: str, work: Path) -> None:
    """What is gone before anything read it is in the bundle by name, size and time; its content is nowhere."""
    trace(work, UNREAD[how])
    assert [path for path in (work.parent / "trace/snapshots").iterdir() if SECRET in path.read_bytes()] == []
    entries, contents, said = pack(work)
    entry = entries[bytes(work / "file")]
    assert (entry.placeholder, entry.size, entry.mtime_ns) == (True, len(SECRET), 10**18)
    assert SECRET not in contents.values()
    assert b"work/file" not in said


@pytest.mark.parametrize("how", NEEDED)
def test_content_that_something_needed_is_packed(how: str, work: Path) -> None:
    """What was read, executed, changed in part or kept under another name is packed as it was, removed later or not."""
    trace(work, NEEDED[how])
    _, contents, said = pack(work)
    assert contents[bytes(work / "file")] == SECRET
    assert b"work/file" not in said


def test_content_is_kept_when_the_removal_failed(work: Path) -> None:
    """A call that fails for a reason that cannot be seen beforehand removes nothing: what is read then is packed.

    The limit of open files refuses the truncation here.
    """
    program = (
        "import os, resource as r; r.setrlimit(r.RLIMIT_NOFILE, (3, r.getrlimit(r.RLIMIT_NOFILE)[1]))\n"
        "try: os.open('file', os.O_WRONLY | os.O_TRUNC)\n"
        "except OSError as error: print(error.strerror)\n"
        "r.setrlimit(r.RLIMIT_NOFILE, (99, r.getrlimit(r.RLIMIT_NOFILE)[1])); print(open('file').read())\n"
        "os.unlink('file')\n"
    )
    (work / "program.py").write_text(program)
    observation = trace(work, "exec /usr/bin/python3 -S program.py")
    assert observation.completed.stdout == b"Too many open files\n" + SECRET + b"\n"
    _, contents, _ = pack(work)
    assert contents[bytes(work / "file")] == SECRET


def test_later_run_does_not_need_what_an_earlier_one_replaced(work: Path) -> None:
    """The first run replaces the file unread, the second one reads what the first has written: nobody needs the old."""
    trace(work, "echo new > file")
    second = ("trace", "-q", "--continue", "-d", work.parent / "trace", "--", "sh", "-c", "cat file; rm file")
    assert run_rtrace(*second, cwd=work).stdout == b"new\n"
    entries, contents, said = pack(work)
    assert entries[bytes(work / "file")].placeholder
    assert SECRET not in contents.values()
    assert b"work/file" not in said


def test_later_run_may_remove_what_an_earlier_one_read(work: Path) -> None:
    """The first run reads the file, the second one removes it: its content is packed."""
    trace(work, "cat file")
    second = ("trace", "-q", "--continue", "-d", work.parent / "trace", "--", "sh", "-c", "rm file")
    assert run_rtrace(*second, cwd=work).returncode == 0
    _, contents, _ = pack(work)
    assert contents[bytes(work / "file")] == SECRET


@pytest.mark.parametrize("engine", ["seccomp", "stops"])
def test_every_engine_tells_what_nobody_read(engine: str, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost unread, and what was read before, is told apart however system calls are seen."""
    monkeypatch.setenv("RTRACE_ENGINE", engine)
    (work / "other").write_text("read")
    trace(work, "rm -rf file; cat other; rm other")
    entries, contents, _ = pack(work)
    assert entries[bytes(work / "file")].placeholder
    assert contents[bytes(work / "other")] == b"read"


def test_plain_user_ships_no_old_results(plain_user: PlainUser) -> None:
    """Somebody without privileges who begins with removing old results has none of them in the bundle."""
    (plain_user.home / "out").mkdir()
    (plain_user.home / "out/big").write_bytes(SECRET)
    plain_user.give(plain_user.home / "out")
    plain_user.run(plain_user.rtrace, "trace", "-q", "-d", "t", "sh", "-c", "rm -rf out; mkdir out; echo new > out/big")
    assert list((plain_user.home / "t/snapshots").iterdir()) == []
    assert plain_user.run(plain_user.rtrace, "pack", "-d", "t", "b.rpz").returncode == 0
    with open_bundle(plain_user.home / "b.rpz") as bundle:
        assert SECRET not in [b"".join(parts) for _, parts in bundle.stream_data()]
    verified = plain_user.run(plain_user.rtrace, "verify", "b.rpz")
    assert verified.returncode == 0, verified.stdout
