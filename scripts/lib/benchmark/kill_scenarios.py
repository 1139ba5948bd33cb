"""The commands that are killed, and what has to be true afterwards: `killed_commands` kills them.

Of each: nothing half has a final name, the next command works and says nothing of a fault, nothing is left but what
belongs there, and what was there before is there.
"""

import json
import os
import subprocess
from pathlib import Path

from benchmark.killed_commands import TARGET, USED_TARGET, Case, Kill, Scenario, run_kills, scratch_folder

SCRIPT = """\
cat ../in > out; echo more >> log; mkdir -p made; i=0
while [ $i -lt 20 ]; do i=$((i + 1)); cat out > made/$i; done
echo done
"""
OUTPUT = "done\n"
OF_A_TARGET = frozenset(
    {
        "bundle.rpz",
        "manifest.yml",
        "root",
        "rtrace-kept",
        "rtrace-target.json",
        "rtrace-uploads.json",
        "rtrace.lock",
    }
)
"""What a chroot target's folder may hold."""


def make_material(folder: Path, rtrace: tuple[str, ...]) -> None:
    """Make what the commands start from: two traces and a bundle."""
    work = folder / "work"
    work.mkdir(parents=True)
    (folder / "in").write_text("input\n" * 1000)
    (folder / "new").write_text("uploaded\n" * 200_000)
    (work / "log").write_text("begun\n")
    (work / "study.sh").write_text(SCRIPT)
    for arguments in (
        ("trace", "-q", "-d", "../trace", "sh", "study.sh"),
        ("trace", "-q", "-d", "../other", "cat", "../in"),
        ("pack", "-d", "../trace", "../bundle.rpz"),
    ):
        subprocess.run([*rtrace, *arguments], cwd=work, check=True, capture_output=True)


def judge_bundle(case: Case, *again: str) -> None:
    """Demand that a bundle is whole or not there, and can be made again."""
    if case.has("b.rpz"):
        case.call("check", "b.rpz")
        (case.folder / "b.rpz").unlink()
    case.call(*again)
    case.call("check", "b.rpz")
    case.expect_only("b.rpz")


def judge_packing(case: Case) -> None:
    """Demand that packing can be done again."""
    judge_bundle(case, "pack", "-d", str(case.material / "trace"), "b.rpz")


def judge_reprozip(case: Case) -> None:
    """Demand that packing in ReproZip's format can be done again."""
    judge_bundle(case, "pack", "--format", "reprozip", "-d", str(case.material / "trace"), "b.rpz")


def judge_exporting(case: Case) -> None:
    """Demand that exporting can be done again."""
    judge_bundle(case, "export", "-f", "reprozip", str(case.material / "bundle.rpz"), "-o", "b.rpz")


def read_first_argument(case: Case) -> str:
    """Return the first argument of the first run of the bundle in the folder."""
    told = json.loads(case.call("info", "--json", "b.rpz").stdout or "{}")
    return str((told.get("runs") or [{"argv": ["nothing"]}])[0]["argv"][0])


def judge_trace(case: Case) -> None:
    """Demand that a trace that began can be packed, and one that did not is not there; another can be made."""
    packed = case.call("pack", "-d", "t", "b.rpz", allowed=(0, 125))
    if packed.returncode:
        case.demand(" does not exist; " in packed.stderr, f"pack says: {packed.stderr.strip()}")
        case.expect_only()
    else:
        case.call("check", "b.rpz")
    case.call("trace", "-q", "--overwrite", "-d", "t", "true")
    case.expect_only("t", *(["b.rpz"] if packed.returncode == 0 else []))


def judge_earlier_trace(case: Case) -> None:
    """Demand that the trace that was there is there, or the new one; another run can be added."""
    case.call("pack", "-d", "other", "b.rpz")
    case.call("check", "b.rpz")
    first = read_first_argument(case)
    case.demand(first in {"cat", "sh"}, f"the first run is {first}")
    case.expect_only("other", "b.rpz")
    case.call("trace", "-q", "--continue", "-d", "other", "true")
    case.expect_only("other", "b.rpz")


def judge_continued(case: Case) -> None:
    """Demand that the runs that were there are there."""
    judge_earlier_trace(case)
    case.demand(read_first_argument(case) == "cat", "the run that was there is lost")


def judge_combining(case: Case) -> None:
    """Demand that a combined trace is whole or not there, and can be made again from traces that are as they were."""
    if case.has("t"):
        case.demand(case.has("t/manifest.yml"), "there is no manifest")
    else:
        case.call("combine", "-d", "t", "other", "trace")
    case.call("pack", "-d", "t", "b.rpz")
    told = json.loads(case.call("info", "--json", "b.rpz").stdout or "{}")
    case.demand(len(told.get("runs", ())) == 2, "not all runs are in it")  # noqa: PLR2004
    for name in ("other", "trace"):
        before, after = ((place / name / "trace.sqlite3").read_bytes() for place in (case.material, case.folder))
        case.demand(before == after, f"{name} was changed")
    case.call("trace", "-q", "-d", "t", "true", allowed=(125,))  # tells of what was left
    case.expect_only("t", "b.rpz", "other", "trace")


def judge_unpacking(case: Case) -> None:
    """Demand that a target is whole or not there, and can be made again."""
    if not case.has("target"):
        case.call("unpack", "chroot", case.material / "bundle.rpz", "target")
    judge_replaying(case)


def judge_replaying(case: Case) -> None:
    """Demand that a target can be replayed and destroyed, and that nothing is left then."""
    done = case.call("run", "target")
    case.demand(done.stdout == OUTPUT, f"the replay printed {done.stdout!r}")
    case.call("destroy", "target")
    case.expect_only()


def read_state(case: Case, verb: str, name: str) -> str | None:
    """Return how it stands with an input (`upload`) or an output (`download`) of a target."""
    told = json.loads(case.call(verb, "--json", TARGET).stdout or '{"files": []}')
    strays = set(os.listdir(case.folder / TARGET)) - OF_A_TARGET
    case.demand(not strays, f"in the target: {', '.join(sorted(strays))}")
    return next((str(file["state"]) for file in told["files"] if file["name"] == name), None)


def judge_uploading(case: Case) -> None:
    """Demand that an input is the packed one or the uploaded one, and nothing between."""
    state = read_state(case, "upload", "in")
    case.demand(state in {"original", "replaced"}, f"the input is {state}")
    judge_replaying(case)


def judge_resetting(case: Case) -> None:
    """Demand that a target has the old state or the packed one."""
    state = read_state(case, "download", "out")
    case.demand(state in {"generated", "missing"}, f"the output is {state}")
    case.call("reset", TARGET)
    judge_replaying(case)


def judge_downloading(case: Case) -> None:
    """Demand that an output is whole or not there, and can be downloaded."""
    want = (case.material / "in").read_bytes()
    case.demand(not case.has("copy") or (case.folder / "copy").read_bytes() == want, "the copy is half")
    case.call("download", "--force", TARGET, "out:copy")
    case.demand(case.has("copy") and (case.folder / "copy").read_bytes() == want, "the copy is another")
    (case.folder / "copy").unlink(missing_ok=True)
    case.call("destroy", TARGET)
    case.expect_only()


def judge_bundle_replayed(case: Case) -> None:
    """Demand that the bundle can be verified, and that nothing is left then."""
    case.call("verify", case.material / "bundle.rpz")
    case.expect_only()


def judge_destroying(case: Case) -> None:
    """Demand that a target is whole or not there, and that destroying it again removes the rest."""
    if case.has("target"):
        judge_replaying(case)
        return
    rest = len(list(case.folder.glob(".target.*")))
    done = case.call("destroy", "target", allowed=(0,) if rest else (125,))
    case.demand(rest or " does not exist; " in done.stderr, f"destroy says: {done.stderr.strip()}")
    case.expect_only()


def judge_extracting(case: Case) -> None:
    """Demand that a file is whole or not there, and can be extracted again."""
    path = str(case.material / "in")
    if case.has("file"):
        case.demand((case.folder / "file").read_bytes() == Path(path).read_bytes(), "the file is half")
        (case.folder / "file").unlink()
    case.call("extract", "-o", "file", case.material / "bundle.rpz", path)
    case.expect_only("file")


def judge_auditing(case: Case) -> None:
    """Demand that the bundle can be looked through again, and that nothing is left then."""
    case.call("audit", case.material / "bundle.rpz")
    case.expect_only()


def list_scenarios(material: Path) -> tuple[Scenario, ...]:
    """Return all commands that are killed; their folders are beside each other in one that is elsewhere."""
    bundle, trace, study = (
        str(material / "bundle.rpz"),
        str(material / "trace"),
        ("sh", "-c", f"cd {material}/work\n{SCRIPT}"),
    )
    return (
        Scenario("trace", ("trace", "-q", "-d", "t", *study), judge_trace),
        Scenario("trace --continue", ("trace", "-q", "-d", "other", "--continue", *study), judge_continued, ("other",)),
        Scenario(
            "trace --overwrite", ("trace", "-q", "-d", "other", "--overwrite", *study), judge_earlier_trace, ("other",)
        ),
        Scenario("pack", ("pack", "-d", trace, "b.rpz"), judge_packing),
        Scenario("pack --format reprozip", ("pack", "--format", "reprozip", "-d", trace, "b.rpz"), judge_reprozip),
        Scenario("export", ("export", "-f", "reprozip", bundle, "-o", "b.rpz"), judge_exporting),
        Scenario("combine", ("combine", "-d", "t", "other", "trace"), judge_combining, ("other", "trace")),
        Scenario("extract", ("extract", "-o", "file", bundle, str(material / "in")), judge_extracting),
        Scenario("audit", ("audit", bundle), judge_auditing),
        Scenario("unpack", ("unpack", "chroot", bundle, "target"), judge_unpacking),
        Scenario("run TARGET", ("run", "target"), judge_replaying, ("target",)),
        Scenario("run BUNDLE", ("run", bundle), judge_bundle_replayed),
        Scenario("run BUNDLE again", ("run", bundle), judge_bundle_replayed, ("trees",)),
        Scenario("verify", ("verify", bundle), judge_bundle_replayed),
        Scenario("upload", ("upload", "target", f"{material}/new:in"), judge_uploading, (TARGET,)),
        Scenario("reset", ("reset", "target"), judge_resetting, (USED_TARGET,)),
        Scenario("download", ("download", "target", "out:copy"), judge_downloading, (USED_TARGET,)),
        Scenario("cache clear", ("cache", "clear"), judge_bundle_replayed, ("trees",)),
        Scenario("destroy", ("destroy", "target"), judge_destroying, ("target",)),
    )


def run_all_kills(rtrace: tuple[str, ...], count: int, scratch: Path, seed: int) -> list[Kill]:
    """Kill each command at so many moments."""
    with scratch_folder(scratch) as folder:
        material = folder / "material"
        make_material(material, rtrace)
        return [
            kill
            for scenario in list_scenarios(material)
            for kill in run_kills(scenario, material, rtrace, count, folder, seed)
        ]
