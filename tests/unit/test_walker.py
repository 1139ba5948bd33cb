"""The tracer's path resolution, held against the system's own."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrace.capture.books.unobserved import ServedError
from rtrace.capture.books.walker import Walk, Walker, ask, is_file_name
from rtrace.files.symlinks import MOST_LINKS

NAMES = (b"a", b"b", b"c", b"..", b".", b"")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(b"/".join).filter(lambda path: path != b"")
LINKS = st.dictionaries(st.sampled_from((b"a", b"b", b"c/a", b"c/b")), PATHS, max_size=4)


def walk(walker: Walker, base: bytes, path: bytes, *, follow: bool = True, root: bytes = b"") -> Walk:
    """Resolve a path for this process."""
    return walker.walk(base, path, follow=follow, tgid=os.getpid(), tid=os.getpid(), root=root)


@settings(deadline=None, max_examples=200)
@given(links=LINKS, path=PATHS)
def test_a_path_leads_where_the_system_says(links: dict[bytes, bytes], path: bytes) -> None:
    """What exists is found where Python finds it, and what does not is missing; when all is remembered, too."""
    with tempfile.TemporaryDirectory() as folder:
        base = os.path.realpath(os.fsencode(folder))
        os.makedirs(base + b"/c/c")
        for place, target in links.items():
            os.symlink(target.lstrip(b"/") or b".", base + b"/" + place)
        walker = Walker()
        for _ in range(2):
            found = walk(walker, base, path.lstrip(b"/") or b".")
            assert (found.missing is None) == os.path.exists(base + b"/" + path)
            if found.missing is None:
                assert found.path == os.path.realpath(base + b"/" + path)


def test_the_way_is_told(tmp_path: Path) -> None:
    """The symlinks that were followed and the folders that `..` led out of are told, in the order of the way."""
    base = os.path.realpath(os.fsencode(tmp_path))
    os.makedirs(base + b"/one/two")
    os.symlink(b"one/two/../two", base + b"/link")
    found = walk(Walker(), base, b"link/file")
    assert found == Walk(
        base + b"/one/two/file", None, [base + b"/link", base + b"/one/two"], found.path, volatile=False
    )


@pytest.mark.parametrize("path,follow,end,missing", [
    (b"link", False, b"/link", None),
    (b"link", True, b"/file", None),
    (b"link/", False, b"/file", b"/file/"),
    (b"file/.", False, b"/file", b"/file/"),
    (b"file/below", True, b"/file", b"/file/"),
    (b"absent/below/x", True, b"/absent/below/x", b"/absent"),
    (b"circle", True, b"/circle", b"/circle/"),
    (b"circle", False, b"/circle", None),
])  # fmt: skip
def test_where_a_path_ends(path: bytes, end: bytes, missing: bytes | None, tmp_path: Path, *, follow: bool) -> None:
    """A path ends at its last name, at what is missing, at what is no folder, and in a circle."""
    base = os.path.realpath(os.fsencode(tmp_path))
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "circle").symlink_to("circle")
    found = walk(Walker(), base, path, follow=follow)
    assert (found.path, found.missing) == (base + end, None if missing is None else base + missing)


def test_forty_links_are_followed(tmp_path: Path) -> None:
    """A chain of as many symlinks as the kernel follows leads to its end, and a longer one nowhere."""
    base = os.path.realpath(os.fsencode(tmp_path))
    (tmp_path / "0").touch()
    for number in range(1, MOST_LINKS + 2):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    assert walk(Walker(), base, b"%d" % MOST_LINKS).path == base + b"/0"
    assert walk(Walker(), base, b"%d" % (MOST_LINKS + 1)).missing == base + b"/1/"


def test_another_root_is_never_left(tmp_path: Path) -> None:
    """For a process with a root of its own, absolute symlinks begin there and `..` ends there."""
    root = os.path.realpath(os.fsencode(tmp_path)) + b"/jail"
    os.makedirs(root + b"/etc")
    os.symlink(b"/../../etc", root + b"/link")
    assert walk(Walker(), root, b"/link", root=root).path == root + b"/etc"


def test_a_process_means_itself_by_self() -> None:
    """/proc/self leads to the folder of the process that asks, and means something else to each one."""
    found = walk(Walker(), b"/", b"/proc/self/status")
    assert found.path == b"/proc/%d/status" % os.getpid()
    assert found.volatile
    link = walk(Walker(), b"/", b"/proc/self", follow=False)
    assert (link.path, link.status, link.volatile) == (b"/proc/self", None, True)
    assert not walk(Walker(), b"/", b"/proc/uptime").volatile


FILES = (b"d/file", b"d/e/file", b"file")
STEPS = st.lists(st.sampled_from((b"d", b"e", b"file", b"no", *NAMES)), min_size=1, max_size=4).map(b"/".join)


@settings(deadline=None, max_examples=200)
@given(
    links=LINKS, paths=st.lists(STEPS.filter(bool), min_size=2, max_size=4), follow=st.booleans(), dotted=st.booleans()
)
def test_what_is_remembered_changes_nothing(
    links: dict[bytes, bytes], paths: list[bytes], *, follow: bool, dotted: bool
) -> None:
    """A walker that knows folders and symlinks already tells the same of a path as one that knows nothing."""
    with tempfile.TemporaryDirectory() as folder:
        base = os.path.realpath(os.fsencode(folder))
        for made in (b"/c/c", b"/d/e"):
            os.makedirs(base + made)
        for name in FILES:
            os.close(os.open(base + b"/" + name, os.O_CREAT))
        for place, target in links.items():
            os.symlink(target.lstrip(b"/") or b".", base + b"/" + place)
        warm = Walker()
        walk(warm, b"/", base)
        for path in paths:
            asked = (b"./" if dotted else b"") + (path.lstrip(b"/") or b".")
            known, new = (walk(walker, base, asked, follow=follow) for walker in (warm, Walker()))
            assert known._replace(status=None) == new._replace(status=None)
            if known.status is not None and known.missing is None:
                assert os.path.samestat(known.status, os.lstat(known.path))
            assert warm.directories == {place for place in warm.directories if os.path.isdir(place)}
            assert not any(map(os.path.islink, warm.directories))


@pytest.fixture
def known(tmp_path: Path) -> tuple[Walker, bytes]:
    """A walker that knows a folder, with a folder, a file and a symlink in it, and the folder's path."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    walker, base = Walker(), os.path.realpath(os.fsencode(tmp_path))
    walk(walker, b"/", base)
    assert base in walker.directories
    return walker, base


@pytest.mark.parametrize("path", [b"file", b"./file", b"absent", b"./absent", b"folder"])
def test_a_known_folder_is_the_shortest_way(path: bytes, known: tuple[Walker, bytes]) -> None:
    """What is no symlink in a folder that is known, or is not there, takes a single step."""
    walker, base = known
    end = base + b"/" + path.removeprefix(b"./")
    step = walker._step(base, path)
    assert step is not None
    missing = None if os.path.lexists(end) else end
    assert step._replace(status=None) == Walk(end, None, [], missing, volatile=False)
    assert (step.status is None) == (missing is not None)
    assert (end in walker.directories) == (path == b"folder")


@pytest.mark.parametrize("path", [b"link", b".", b"..", b"./", b"folder/", b"folder/file", b"file/x"])
def test_other_ways_are_longer(path: bytes, known: tuple[Walker, bytes]) -> None:
    """A symlink, a name that stands for a folder, and what lies in a folder that is not known, are walked."""
    walker, base = known
    assert walker._step(base, path) is None


def test_a_descriptor_stands_for_itself(known: tuple[Walker, bytes]) -> None:
    """An empty path is the base itself, a file or a folder."""
    walker, base = known
    for name in (b"/file", b"/folder"):
        found = walk(walker, base + name, b"")
        assert (found.path, found.missing) == (base + name, None)


def test_what_the_run_serves_is_not_looked_at(known: tuple[Walker, bytes]) -> None:
    """A mount point of the run's own file system and all in it are refused, known or not; a longer name is not."""
    walker, base = known
    walk(walker, base, b"folder/x")
    walker.served.add(base + b"/folder")
    for path in (b"folder", b"folder/x"):
        with pytest.raises(ServedError):
            walk(walker, base, path)
    assert walk(walker, base, b"folder2").missing == base + b"/folder2"


def test_what_is_forgotten_is_looked_at_again(known: tuple[Walker, bytes]) -> None:
    """After a rename, a name may be a symlink that was a folder, and a symlink may lead elsewhere."""
    walker, base = known
    walk(walker, base, b"folder/x")
    walk(walker, base, b"link")
    os.rename(base + b"/folder", base + b"/other")
    os.symlink(b"other", base + b"/folder")
    walker.forget()
    assert (walker.directories, walker.links) == (set(), {})
    assert walk(walker, base, b"folder/x").path == base + b"/other/x"


def test_a_thread_means_itself_by_thread_self() -> None:
    """/proc/self is the process and /proc/thread-self the thread that asks, whichever it is."""
    tids: list[int] = []
    asked, ended = threading.Event(), threading.Event()

    def wait() -> None:
        tids.append(threading.get_native_id())
        asked.set()
        ended.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    asked.wait()
    try:
        for path, end in ((b"/proc/self", b"/proc/%d"), (b"/proc/thread-self", b"/proc/%d/task/%d")):
            ids = (os.getpid(), tids[0])
            found = Walker().walk(b"/", path + b"/status", follow=True, tgid=ids[0], tid=ids[1])
            assert found.path == end % ids[: end.count(b"%d")] + b"/status"
            assert (found.volatile, found.passed, found.missing) == (True, [], None)
    finally:
        ended.set()
        thread.join()


def test_nothing_in_proc_is_remembered() -> None:
    """Processes come and go: neither their folders nor their symlinks are known the next time."""
    walker = Walker()
    found = walk(walker, b"/", b"/proc/%d/cwd/.." % os.getpid())
    assert found.path == os.path.dirname(os.fsencode(os.path.realpath("/proc/self/cwd")))
    assert found.volatile
    assert not any(place.startswith(b"/proc/") for place in (*walker.directories, *walker.links))
    assert not any(place.startswith(b"/proc/") for place in found.passed)


def test_a_pipe_has_no_path() -> None:
    """A descriptor of a pipe ends at its magic link, followed or not; one of a file leads to the file."""
    reading, writing = os.pipe()
    file = os.open(__file__, os.O_RDONLY)
    try:
        place = b"/proc/%d/fd/" % os.getpid()
        found = walk(Walker(), b"/", place + b"%d" % reading)
        assert (found.path, found.missing, found.volatile) == (place + b"%d" % reading, None, True)
        found = walk(Walker(), b"/", place + b"%d" % file)
        assert (found.path, found.missing, found.passed) == (os.path.realpath(os.fsencode(__file__)), None, [])
    finally:
        for descriptor in (reading, writing, file):
            os.close(descriptor)


@pytest.mark.parametrize("target, is_file", [
    (b"/etc/passwd", True),
    (b"/gone (deleted)", False),
    (b"pipe:[1]", False),
    (b"", False),
])  # fmt: skip
def test_a_magic_link_leads_to_a_path_or_not(target: bytes, *, is_file: bool) -> None:
    """What begins with a slash and was not removed is a path."""
    assert is_file_name(target) == is_file


def test_a_question_without_an_answer(tmp_path: Path) -> None:
    """What is not there, or is no symlink any more, has no answer; what may not be asked raises."""
    path = os.fsencode(tmp_path / "file")
    assert ask(os.lstat, path, os.getpid()) is None
    (tmp_path / "file").touch()
    assert ask(os.readlink, path, os.getpid()) is None
    assert ask(os.lstat, path, os.getpid()) == os.lstat(path)

    def refuse(_: bytes) -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        ask(refuse, path, os.getpid())
