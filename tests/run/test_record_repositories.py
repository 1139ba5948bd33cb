"""What a record says of git repositories: every kind of them, and nothing of anybody else's."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from repositories import PATIENCE, make_repository, run_git
from rtrace.operations.doctor import list_places
from rtrace.operations.machine.leftovers import clean_folder, find_leftovers
from rtrace.record.document import RepositoryFact
from rtrace.record.facts.repositories import find_repositories, read_repositories, read_repository
from rtrace.record.facts.version_control.earlier import Stamp
from rtrace.record.facts.version_control.layout import find_folders

pytestmark = pytest.mark.requires("git")

AT_THREE = "2020-01-02T03:04:05.000000Z"


def read(folder: Path, diff_limit: int = 1 << 20) -> RepositoryFact:
    """Read what a record says of a folder."""
    return read_repository(os.fsencode(folder), diff_limit=diff_limit, timeout=PATIENCE)


def changed(fact: RepositoryFact) -> dict[str, str]:
    """Return the states of the changed files by their paths."""
    return {file["path"]: file["state"] for file in fact["changed"]}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    return make_repository(tmp_path / "project")


def test_a_clean_repository(repository: Path) -> None:
    """Commit, branch, tag, time of the commit, and that nothing was changed."""
    run_git(repository, "tag", "v1.0")
    run_git(repository, "remote", "add", "origin", "https://ada:secret@example.org/project.git")
    run_git(repository, "remote", "add", "upstream", "https://token@example.org/theirs.git")
    assert read(repository) == {
        "type": "git",
        "path": str(repository),
        "commit": run_git(repository, "rev-parse", "HEAD"),
        "branch": "main",
        "tag": "v1.0",
        "committed": AT_THREE,
        "remote": "https://example.org/project.git",
        "upstream": "https://example.org/theirs.git",
        "dirty": False,
        "changed": [],
        "diff": "",
        "problem": None,
    }


def test_each_state_of_a_file(repository: Path) -> None:
    """Modified, added, deleted, another kind of file, and not tracked; ignored files are not told."""
    for name in ("gone", "kind"):
        (repository / name).write_text("x\n")
    (repository / ".gitignore").write_text("*.log\n")
    run_git(repository, "add", ".")
    run_git(repository, "commit", "-q", "-m", "second")
    (repository / ".git/info/exclude").write_text("*.tmp\n")
    (repository / "analysis.py").write_text("print('two')\n")
    (repository / "gone").unlink()
    (repository / "kind").unlink()
    (repository / "kind").symlink_to("analysis.py")
    for name in ("new.py", "other.py", "noise.log", "noise.tmp"):
        (repository / name).write_text("y\n")
    run_git(repository, "add", "new.py")
    fact = read(repository)
    assert changed(fact) == {
        "analysis.py": "modified", "gone": "deleted", "kind": "type changed", "new.py": "added",
        "other.py": "untracked",
    }  # fmt: skip
    assert fact["dirty"] is True
    assert fact["diff"] == run_git(repository, "diff", "HEAD") + "\n"
    assert "-print('one')\n+print('two')\n" in fact["diff"]


def test_files_that_are_not_tracked_make_no_tree_dirty(repository: Path) -> None:
    """A result beside the code is told, and the code is as committed."""
    (repository / "result.csv").write_text("x\n")
    fact = read(repository)
    assert (fact["dirty"], changed(fact), fact["diff"]) == (False, {"result.csv": "untracked"}, "")


def test_a_tag_that_is_an_object(repository: Path) -> None:
    """An annotated tag counts, loose or packed; one of another commit does not."""
    run_git(repository, "tag", "-a", "old", "-m", "old")
    (repository / "analysis.py").write_text("print('two')\n")
    run_git(repository, "commit", "-q", "-a", "-m", "second")
    assert read(repository)["tag"] is None
    run_git(repository, "tag", "-a", "new", "-m", "new")
    assert read(repository)["tag"] == "new"
    run_git(repository, "pack-refs", "--all")
    run_git(repository, "gc", "-q")
    fact = read(repository)
    assert (fact["tag"], fact["branch"], fact["commit"]) == ("new", "main", run_git(repository, "rev-parse", "HEAD"))


def test_a_detached_head(repository: Path) -> None:
    """A commit that was checked out by its name is on no branch."""
    run_git(repository, "checkout", "-q", "--detach")
    fact = read(repository)
    assert (fact["branch"], fact["commit"]) == (None, run_git(repository, "rev-parse", "HEAD"))


def test_no_commit_yet(tmp_path: Path) -> None:
    """A repository without a commit has a branch, and all that was added is new."""
    run_git(tmp_path, "init", "-q", "-b", "trunk")
    assert (read(tmp_path)["commit"], read(tmp_path)["branch"], read(tmp_path)["problem"]) == (None, "trunk", None)
    (tmp_path / "a").write_text("x\n")
    run_git(tmp_path, "add", "a")
    fact = read(tmp_path)
    assert (changed(fact), fact["dirty"]) == ({"a": "added"}, True)
    assert "+x\n" in str(fact["diff"])


def test_a_bare_repository(repository: Path, tmp_path: Path) -> None:
    """A repository without a working tree has a commit, and nothing that could be changed."""
    run_git(tmp_path, "clone", "-q", "--bare", repository, tmp_path / "bare.git")
    fact = read(tmp_path / "bare.git")
    assert (fact["commit"], fact["dirty"]) == (run_git(repository, "rev-parse", "HEAD"), None)
    assert fact["remote"] == str(repository)


def test_a_further_tree(repository: Path, tmp_path: Path) -> None:
    """A tree that `git worktree` has added has a branch and changes of its own."""
    run_git(repository, "worktree", "add", "-q", "-b", "side", tmp_path / "side")
    (tmp_path / "side/analysis.py").write_text("print('side')\n")
    fact = read(tmp_path / "side")
    assert (fact["branch"], changed(fact)) == ("side", {"analysis.py": "modified"})
    assert read(repository)["dirty"] is False


def test_a_submodule(repository: Path, tmp_path: Path) -> None:
    """A submodule is a repository of its own; to the one around it, its commit counts, not its content."""
    outer = make_repository(tmp_path / "outer")
    run_git(outer, "submodule", "--quiet", "add", repository, "part")
    run_git(outer, "commit", "-q", "-m", "with a part")
    (outer / "part/analysis.py").write_text("print('inner')\n")
    paths = [os.fsencode(outer / name) for name in ("part/analysis.py", "analysis.py")]
    assert find_repositories(paths) == [os.fsencode(outer), os.fsencode(outer / "part")]
    assert changed(read(outer / "part")) == {"analysis.py": "modified"}
    assert read(outer)["dirty"] is False
    run_git(outer / "part", "commit", "-q", "-a", "-m", "inner")
    assert changed(read(outer)) == {"part": "modified"}


def test_a_repository_apart_from_its_tree(tmp_path: Path) -> None:
    """A repository that `git init --separate-git-dir` has put elsewhere is looked into when it names its tree."""
    folder = make_repository(tmp_path / "tree", f"--separate-git-dir={tmp_path / 'store'}")
    assert "core.worktree" in str(read(folder)["problem"])
    run_git(folder, "config", "core.worktree", str(folder))
    fact = read(folder)
    assert (fact["branch"], fact["dirty"], fact["problem"]) == ("main", False, None)


def test_sha256(tmp_path: Path) -> None:
    """A repository of longer names is read as well."""
    folder = make_repository(tmp_path / "tree", "--object-format=sha256")
    (folder / "data.csv").write_text("a,b\n1,3\n")
    fact = read(folder)
    assert (len(str(fact["commit"])), changed(fact), fact["problem"]) == (64, {"data.csv": "modified"}, None)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """Folder, file, branch and content may be any bytes, quotes, colons and newlines among them."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b'/a\xff"b\n:c\\'))
    make_repository(folder)
    name = os.fsdecode(b"d\xfe\nta")
    (folder / name).write_bytes(b"\xff\n")
    run_git(folder, "add", ".")
    fact = read(folder)
    assert (fact["path"], fact["problem"], fact["committed"]) == (str(folder), None, AT_THREE)
    assert changed(fact) == {name: "added"}
    assert "+\udcff\n" in str(fact["diff"])


def test_line_ends_as_the_repository_wants_them(repository: Path) -> None:
    """A file with the line ends of Windows is not changed where git turns them."""
    run_git(repository, "config", "core.autocrlf", "true")
    (repository / "data.csv").write_bytes(b"a,b\r\n1,2\r\n")
    assert read(repository)["diff"] == ""


def test_a_split_index(repository: Path) -> None:
    """An index in two files is read whole."""
    run_git(repository, "update-index", "--split-index")
    (repository / "data.csv").write_text("a,b\n1,3\n")
    assert changed(read(repository)) == {"data.csv": "modified"}


def test_a_change_within_the_same_moment(repository: Path) -> None:
    """A file that was changed right after it was added, to the same length, is changed: the index's time says so."""
    run_git(repository, "config", "core.trustctime", "false")
    moment = 1_500_000_000 * 10**9
    os.utime(repository / "data.csv", ns=(moment, moment))
    run_git(repository, "update-index", "--refresh")
    (repository / "data.csv").write_text("a,b\n1,9\n")
    for path in (repository / "data.csv", repository / ".git/index"):
        os.utime(path, ns=(moment, moment))
    assert changed(read(repository)) == {"data.csv": "modified"}


def test_a_filter_is_told(repository: Path) -> None:
    """A changed file that passes through a filter is compared as it lies, and the record says so."""
    (repository / ".gitattributes").write_text("*.csv filter=crypt\n")
    (repository / "data.csv").write_text("a,b\n1,3\n")
    assert "A filter of git belongs to data.csv" in str(read(repository)["problem"])


def test_large_files_that_are_kept_elsewhere(repository: Path) -> None:
    """A file of Git LFS is compared by the digest in its pointer, without Git LFS; the diff is that of the pointers."""

    def point(content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"

    (repository / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    content, other = b"\0content" * 1000, b"\0another" * 1000
    for name in ("same.bin", "other.bin"):
        (repository / name).write_text(point(content))
    (repository / "none.bin").write_text("never was a pointer\n")
    run_git(repository, "add", ".")
    run_git(repository, "commit", "-q", "-m", "large files")
    (repository / "same.bin").write_bytes(content)
    fact = read(repository)
    assert (fact["dirty"], fact["diff"], fact["changed"], fact["problem"]) == (False, "", [], None)
    (repository / "other.bin").write_bytes(other)
    (repository / "none.bin").write_bytes(other)
    fact = read(repository)
    assert changed(fact) == {"none.bin": "modified", "other.bin": "modified"}
    assert f"-oid sha256:{hashlib.sha256(content).hexdigest()}\n" in str(fact["diff"])
    assert f"+oid sha256:{hashlib.sha256(other).hexdigest()}\n" in str(fact["diff"])
    assert "belongs to none.bin," in str(fact["problem"])


def test_a_long_diff_is_cut(repository: Path) -> None:
    """Of a diff beyond the limit the beginning is kept, in whole lines."""
    (repository / "data.csv").write_text("x" * 50 + "\n" + "y\n" * 5000)
    fact = read(repository, diff_limit=1000)
    assert 900 < len(str(fact["diff"])) <= 1000
    assert str(fact["diff"]).endswith("\n")
    assert "longer than the limit" in str(fact["problem"])


def test_binary_files_have_no_text(repository: Path) -> None:
    """Of a changed file that is no text, the diff says that it differs."""
    (repository / "data.csv").write_bytes(bytes(range(256)))
    assert "Binary files a/data.csv and b/data.csv differ" in str(read(repository)["diff"])


def test_nothing_is_changed_by_asking(repository: Path) -> None:
    """No file of the repository is written, touched or added, the index included, which git would like to refresh."""

    def look() -> dict[str, tuple[int, int, int]]:
        return {
            str(path): (path.lstat().st_mtime_ns, path.lstat().st_ctime_ns, path.lstat().st_ino)
            for path in [repository, *repository.rglob("*")]
        }

    os.utime(repository / "data.csv", (1, 1))
    (repository / "analysis.py").write_text("print('two')\n")
    before = look()
    assert changed(read(repository)) == {"analysis.py": "modified"}
    assert look() == before


def copy(folder: Path, name: str, content: str) -> bytes:
    """Put the content that a file had before a run aside."""
    path = folder / "copies" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return os.fsencode(path)


def test_what_the_run_itself_has_changed(repository: Path, tmp_path: Path) -> None:
    """Changed files and diff are those from before the run: what it has written, made or replaced counts as it was."""
    for name in ("result", "dirty", "lost", "script"):
        (repository / name).write_text("committed\n")
    (repository / "script").chmod(0o755)
    run_git(repository, "add", ".")
    run_git(repository, "commit", "-q", "-m", "second")
    for name in ("result", "dirty", "lost", "script", "new"):
        (repository / name).write_text("by the run\n")
    (repository / "analysis.py").write_text("by a person\n")
    earlier = {
        "result": copy(tmp_path, "result", "committed\n"),
        "dirty": copy(tmp_path, "dirty", "by a person as well\n"),
        "script": copy(tmp_path, "script", "committed\n"),
        "lost": None,
        "new": None,
        "elsewhere": None,
    }
    changes = {os.fsencode(repository / name): path for name, path in earlier.items()}
    fact = read_repository(os.fsencode(repository), earlier=changes, timeout=PATIENCE)
    assert changed(fact) == {"analysis.py": "modified", "dirty": "modified", "lost": "deleted"}
    assert (fact["dirty"], fact["problem"]) == (True, None)
    diff = str(fact["diff"])
    assert "by the run" not in diff
    assert "+by a person\n" in diff
    assert "+by a person as well\n" in diff
    assert "deleted file mode 100644" in diff
    run_git(repository, "checkout", "-q", "analysis.py", "dirty", "lost")
    fact = read_repository(os.fsencode(repository), earlier=changes, timeout=PATIENCE)
    assert (fact["dirty"], fact["diff"], fact["changed"]) == (False, "", [])


def test_what_the_run_has_replaced_unread(repository: Path) -> None:
    """Of a file without a copy, size and time from before the run tell that it was as in the index."""
    status = (repository / "data.csv").stat()
    (repository / "data.csv").write_text("by the run, and longer\n")
    path = os.fsencode(repository / "data.csv")
    fact = read_repository(
        os.fsencode(repository), earlier={path: Stamp(status.st_size, status.st_mtime_ns)}, timeout=PATIENCE
    )
    assert (fact["dirty"], fact["diff"], fact["changed"], fact["problem"]) == (False, "", [], None)
    fact = read_repository(
        os.fsencode(repository), earlier={path: Stamp(status.st_size, status.st_mtime_ns + 1)}, timeout=PATIENCE
    )
    assert changed(fact) == {"data.csv": "modified"}
    assert "data.csv had before the run is not known" in str(fact["problem"])


def test_an_earlier_content_that_is_gone(repository: Path, tmp_path: Path) -> None:
    """Where the content from before the run is not known any more, the one after it is told, and the record says so."""
    (repository / "data.csv").write_text("by the run\n")
    earlier = {os.fsencode(repository / "data.csv"): os.fsencode(tmp_path / "nowhere")}
    fact = read_repository(os.fsencode(repository), earlier=earlier, timeout=PATIENCE)
    assert changed(fact) == {"data.csv": "modified"}
    assert "data.csv had before the run is not known" in str(fact["problem"])


def test_many_changed_files(tmp_path: Path) -> None:
    """Thousands of changed files with long names, each passing through a filter, are told."""
    folder = make_repository(tmp_path / "large")
    names = [f"{'long' * 20}-{number:05}" for number in range(3000)]
    for name in names:
        (folder / name).write_text("one\n")
    (folder / ".gitattributes").write_text("long* filter=lfs\n")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "many")
    for name in names:
        (folder / name).write_text("two\n")
    fact = read_repository(os.fsencode(folder), timeout=60)
    assert len(changed(fact)) == 3000
    assert "and 2995 more" in str(fact["problem"])


def test_without_git(repository: Path, tmp_path: Path) -> None:
    """What can be read without git is; the record says what is missing, and why."""
    fact = read_repository(os.fsencode(repository), environ={"PATH": str(tmp_path / "nowhere")}, timeout=PATIENCE)
    assert (fact["commit"], fact["branch"]) == (run_git(repository, "rev-parse", "HEAD"), "main")
    assert (fact["dirty"], fact["diff"]) == (None, None)
    assert fact["problem"] == "Git is not installed, so what was changed since the commit is not known."


def test_git_that_takes_too_long(repository: Path, tmp_path: Path) -> None:
    """A git that does not answer is ended when the time is over, with what it has started."""
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $$ >>{tmp_path}/pids\nsleep 1000\n")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    fact = read_repository(os.fsencode(repository), timeout=0.5, environ={"PATH": path})
    assert "took too long" in str(fact["problem"])
    assert fact["commit"] == run_git(repository, "rev-parse", "HEAD")
    for pid in (tmp_path / "pids").read_text().split():
        assert not Path(f"/proc/{pid}").exists()


def test_several_repositories_have_one_time_limit(tmp_path: Path) -> None:
    """What is left of the time is for the next repository; one for which none is left has what can be read at once."""
    roots = [os.fsencode(make_repository(tmp_path / name)) for name in "abc"]
    facts = read_repositories(roots, environ=os.environ, earlier={})
    assert [(fact["dirty"], fact["problem"]) for fact in facts] == [(False, None)] * 3
    facts = read_repositories(roots, environ=os.environ, earlier={}, seconds=0)
    assert [(fact["branch"], fact["dirty"]) for fact in facts] == [("main", None)] * 3
    assert all("took too long" in str(fact["problem"]) for fact in facts)


def test_what_a_killed_process_leaves(repository: Path, tmp_path: Path) -> None:
    """The folder in which git was asked is one that `rtrace doctor --clean` removes when whoever asked was killed."""
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    os.mkfifo(tmp_path / "told")
    program.write_text(f'#!/bin/sh\necho "$$ $GIT_DIR" >{tmp_path}/told\nexec sleep 1000\n')
    program.chmod(0o755)
    asking = (
        "import sys; from rtrace.record.facts.repositories import read_repository;"
        "read_repository(sys.argv[1].encode(), timeout=1000, environ={'PATH': sys.argv[2]})"
    )
    path = f"{program.parent}:{os.environ['PATH']}"
    told = os.open(tmp_path / "told", os.O_RDWR)  # so that nobody waits for a reader
    with subprocess.Popen([sys.executable, "-c", asking, repository, path]) as process:
        lines = os.read(told, 1 << 12)  # of the first that is asked
        process.kill()
    os.set_blocking(told, False)
    with contextlib.suppress(BlockingIOError):
        lines += os.read(told, 1 << 12)  # and of others that were asked at once
    os.close(told)
    found = [line.partition(" ") for line in lines.decode().splitlines()]
    pids, folders = {int(pid) for pid, _, _ in found}, {Path(folder) for _, _, folder in found}
    for number in pids:
        os.kill(number, signal.SIGKILL)
    (left,) = folders
    assert left.parent in list_places(())
    assert left in find_leftovers(left.parent)
    clean_folder(left.parent)
    assert not left.exists()


def test_a_broken_repository(repository: Path) -> None:
    """An object that is missing, or an index that is none, is a problem in a sentence."""
    (repository / ".git/index").write_bytes(b"nothing")
    assert read(repository)["problem"] == "Git failed, so which files are changed is not known."
    for path in (repository / ".git/objects").glob("??/*"):
        path.unlink()
    assert "Git could not read the commit" in str(read(repository)["problem"])
    (repository / ".git/HEAD").write_bytes(b"\xff" * 5000)
    assert read(repository)["commit"] is None


@pytest.mark.requires("root")
def test_a_repository_of_another_user(repository: Path) -> None:
    """Git itself would refuse a folder of somebody else; to look at it as rtrace does is safe."""
    for path in [repository, *repository.rglob("*")]:
        os.lchown(path, 12345, 12345)
    refused = subprocess.run(["git", "status"], cwd=repository, capture_output=True, check=False, text=True)
    assert "dubious ownership" in refused.stderr
    fact = read(repository)
    assert (fact["dirty"], fact["problem"]) == (False, None)


def point_by_file(hostile: Path, private: Path) -> None:
    """Let `.git` be a file that names the other repository."""
    (hostile / ".git").write_text(f"gitdir: {private}/.git\n")


def point_by_link(hostile: Path, private: Path) -> None:
    """Let `.git` be a symlink."""
    (hostile / ".git").symlink_to(private / ".git")


def point_by_shared_folder(hostile: Path, private: Path) -> None:
    """Let a repository folder say that it shares the other one."""
    make_repository(hostile)
    (hostile / ".git/commondir").write_text(f"{private}/.git\n")
    (hostile / ".git/HEAD").write_text("ref: refs/heads/secret\n")


def point_by_further_tree(hostile: Path, private: Path) -> None:
    """Let a folder look like that of a further tree of the other one."""
    own = hostile / "own"
    own.mkdir()
    (hostile / ".git").write_text(f"gitdir: {own}\n")
    (own / "commondir").write_text(f"{private}/.git\n")
    (own / "gitdir").write_text(f"{hostile}/.git\n")
    (own / "HEAD").write_text("ref: refs/heads/secret\n")
    (own / "config").write_text(f"[core]\n\tworktree = {hostile}\n")


def point_by_linked_head(hostile: Path, private: Path) -> None:
    """Let HEAD, and the folder of the objects, be the other's."""
    make_repository(hostile)
    (hostile / ".git/HEAD").unlink()
    (hostile / ".git/HEAD").symlink_to(private / ".git/refs/heads/secret")
    (hostile / ".git/objects/info/alternates").write_text(f"{private}/.git/objects\n")


def point_by_linked_references(hostile: Path, private: Path) -> None:
    """Let a folder of the references be the other's."""
    make_repository(hostile)
    (hostile / ".git/refs/evil").symlink_to(private / ".git/refs/heads")
    (hostile / ".git/HEAD").write_text("ref: refs/evil/secret\n")
    (hostile / ".git/objects/info/alternates").write_text(f"{private}/.git/objects\n")


def point_by_name(hostile: Path, private: Path) -> None:
    """Let HEAD name a file above the references."""
    make_repository(hostile)
    (hostile / ".git/HEAD").write_text(f"ref: refs/../../../{private.name}/.git/refs/heads/secret\n")
    (hostile / ".git/objects/info/alternates").write_text(f"{private}/.git/objects\n")


@pytest.mark.parametrize(
    "point",
    [
        point_by_file, point_by_link, point_by_shared_folder, point_by_further_tree, point_by_linked_head,
        point_by_linked_references, point_by_name,
    ],
)  # fmt: skip
def test_a_repository_that_points_at_a_private_one(tmp_path: Path, point: object) -> None:
    """A stranger's folder cannot bring the content of another repository of this user into the record."""
    private = make_repository(tmp_path / "private")
    run_git(private, "checkout", "-q", "-b", "secret")
    (private / "diary").write_text("dear diary\n")
    run_git(private, "add", ".")
    run_git(private, "commit", "-q", "-m", "private")
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    assert callable(point)
    point(hostile, private)
    fact = read(hostile)
    assert "diary" not in str(fact)
    assert fact["commit"] != run_git(private, "rev-parse", "HEAD")


def test_a_working_tree_elsewhere(repository: Path, tmp_path: Path) -> None:
    """The setting core.worktree leads to no other folder: the tree is where the repository lies."""
    private = tmp_path / "private"
    private.mkdir()
    (private / "analysis.py").write_text("secret\n")
    run_git(repository, "config", "core.worktree", str(private))
    assert (read(repository)["dirty"], read(repository)["diff"]) == (False, "")


def test_the_environment_does_not_count(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables of git's in the environment lead nowhere."""
    variables: Mapping[str, object] = {
        "GIT_DIR": tmp_path, "GIT_WORK_TREE": tmp_path, "GIT_INDEX_FILE": tmp_path / "i",
        "GIT_OBJECT_DIRECTORY": tmp_path, "GIT_TRACE": tmp_path / "trace", "GIT_TRACE2": tmp_path / "trace2",
        "GIT_NAMESPACE": "x",
    }  # fmt: skip
    commit = run_git(repository, "rev-parse", "HEAD")
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    fact = read(repository)
    assert (fact["commit"], fact["dirty"], fact["committed"]) == (commit, False, AT_THREE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project"]


def test_when_a_commit_was_made_is_read_without_git_while_it_is_not_packed(repository: Path) -> None:
    """Once it is packed git is asked, and says the same; what is no commit has no time."""
    folders = find_folders(os.fsencode(repository))
    assert folders is not None
    commit = run_git(repository, "rev-parse", "HEAD").encode()
    tree = run_git(repository, "rev-parse", "HEAD^{tree}").encode()
    (repository / ".git/objects" / tree[:2].decode() / "broken").write_bytes(b"no object")
    assert folders.read_commit_time(commit) == int(run_git(repository, "show", "-s", "--format=%ct"))
    assert folders.read_commit_time(tree) is None
    assert folders.read_commit_time(tree[:2] + b"broken") is None
    loose = read(repository)
    run_git(repository, "gc", "-q")
    assert folders.read_commit_time(commit) is None
    assert read(repository) == loose
    assert loose["committed"] == AT_THREE
