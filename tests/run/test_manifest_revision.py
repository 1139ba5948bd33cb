"""Comments, blank lines, order and layout of a manifest survive whatever rtrace writes into it."""

import re
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from rtrace.manifest.reading.load import load
from secret_planting import Planter

Rtrace = Callable[..., subprocess.CompletedProcess[bytes]]


def added_and_gone(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return which lines are new, and which are gone."""
    earlier, later = before.splitlines(), after.splitlines()
    return [line for line in later if line not in earlier], [line for line in earlier if line not in later]


def test_a_real_session(rtrace: Rtrace, tmp_path: Path) -> None:
    """Traced, edited, continued and packed: every comment is in the manifest and in the bundle's."""
    assert rtrace("trace", "sh", "-c", "echo a > first.txt").returncode == 0
    manifest = tmp_path / ".rtrace/manifest.yml"
    text = manifest.read_text()
    text = "# mine 1\n" + text.replace("runs:\n", "runs:  # mine 2\n  # mine 3\n", 1)
    text = text.replace("    binary:", "    # mine 4\n    binary:").replace("environ:\n", "environ:\n      # mine 5\n")
    text = text.replace("  - {name: libc6,", "\n  # mine 6\n  - {name: libc6,  # mine 7\n    ")
    text = text.replace("exclude: []", "exclude: ['**/*.tmp', # mine 8\n  /nowhere]") + "# mine 9"
    manifest.write_text(text)
    done = rtrace("trace", "--continue", "sh", "-c", "cat first.txt > second.txt")
    assert (done.returncode, b"not captured" in done.stderr) == (0, False)
    numbers = [str(number) for number in range(1, 10)]
    written = manifest.read_text()
    assert re.findall("# mine ([0-9])", written) == numbers
    assert [run.id for run in load(written).runs] == ["run1", "run2"]
    assert "second.txt" in {file.name for file in load(written).outputs}
    _, gone = added_and_gone(text, written)
    assert [line for line in gone if not re.search(r"files|size|# mine 9|first\.txt", line)] == []
    assert rtrace("pack").returncode == 0
    with tarfile.open(tmp_path / "bundle.rpz") as bundle:
        member = bundle.extractfile("METADATA/manifest.yml")
        assert member is not None
        packed = member.read().decode()
    assert re.findall("# mine ([0-9])", packed) == numbers
    assert rtrace("check", "bundle.rpz").returncode == 0


def test_a_secret_in_a_comment_stays_at_home(rtrace: Rtrace, tmp_path: Path) -> None:
    """What looks like a secret, or is one that was found elsewhere, is crossed out in the comments of a bundle."""
    planter = Planter()
    password, token = planter.make_up("{16}")[0], planter.make_up("gh~p_{36}")[0]
    assert rtrace("trace", "true", env={"DB_PASSWORD": password}).returncode == 0
    manifest = tmp_path / ".rtrace/manifest.yml"
    manifest.write_text(f"# mine, with {token}\n" + manifest.read_text().replace("runs:\n", f"runs: # {password}\n", 1))
    assert rtrace("pack").returncode == 0
    with tarfile.open(tmp_path / "bundle.rpz") as bundle:
        member = bundle.extractfile("METADATA/manifest.yml")
        assert member is not None
        packed = member.read().decode()
    assert "# mine, with " in packed
    assert password not in packed
    assert token not in packed


def test_a_mistake_is_told_before_the_next_run(rtrace: Rtrace, tmp_path: Path) -> None:
    """A manifest that is none ends `--continue` before anything runs; the manifest is as it was."""
    assert rtrace("trace", "true").returncode == 0
    manifest = tmp_path / ".rtrace/manifest.yml"
    text = manifest.read_text() + "exlude: [/x]\n"
    manifest.write_text(text)
    done = rtrace("trace", "--continue", "touch", "ran")
    assert done.returncode == 125
    assert b"did you mean exclude?" in done.stderr
    assert not (tmp_path / "ran").exists()
    assert manifest.read_text() == text


def test_a_mistake_made_during_a_run_does_not_cost_its_result(rtrace: Rtrace, tmp_path: Path) -> None:
    """A manifest spoilt while the run went on is left alone, the draft lies beside it, the exit status is the run's."""
    work, env = tmp_path / "work", {"XDG_STATE_HOME": str(tmp_path / "state")}
    work.mkdir()
    assert rtrace("trace", "true", cwd=work).returncode == 0
    done = rtrace(
        "trace",
        "--continue",
        "sh",
        "-c",
        "for file in ../state/rtrace/traces/*/trace/manifest.yml; do echo 'exlude: [/x]' >> $file; done; exit 3",
        cwd=work,
        env=env,
    )
    assert done.returncode == 3
    assert (
        f"did you mean exclude?; all is traced, and {work}/.rtrace/manifest.draft.yml is a fresh".encode()
        in done.stderr
    )
    assert (work / ".rtrace/manifest.yml").read_text().endswith("exlude: [/x]\n")
    assert [run.id for run in load(work / ".rtrace/manifest.draft.yml").runs] == ["run1", "run2"]
