"""A bundle with inputs and outputs, and targets of it, for the tests of what can be done with a target."""

from pathlib import Path

from bundle_making import USER, BundleMaker, make_run, wrote
from rtrace.manifest.model import NamedFile, Run
from rtrace.opening import open_bundle
from rtrace.operations.exchange.names import list_inputs, list_outputs
from rtrace.operations.exchange.notes import peek
from rtrace.operations.exchange.states import FileState, list_states
from rtrace.replay.protocol import Target

PACKED = b"packed\n"
SCRIPTS = {
    "copy": b"""cat data.csv > out.txt; echo x > plot-$(ls | busybox wc -l).png
        busybox mkdir -p b; echo y > b/out.txt; cat out.txt""",
    "spoil": b"echo spoilt >> data.csv; rm second.csv; ln -s /etc/os-release evil",
    "tell": b"stat -c '%u %g %a %Y' data.csv; cat data.csv",
    "fail": b"cat data.csv; exit 3",
}
RUNS = {name: make_run(script, id=name) for name, script in SCRIPTS.items()}
INPUTS = (
    NamedFile("data.csv", b"/work/data.csv", ("copy",)),
    NamedFile("second.csv", b"/work/second.csv", ("copy",)),
)
OUTPUTS = (
    NamedFile("out.txt", b"/work/out.txt", ("copy",)),
    NamedFile("b_out.txt", b"/work/b/out.txt", ("copy",)),
    NamedFile("plot.png", b"/work/plot-1.png", ("copy",), b"/work/plot-*.png"),
)


def make_bundle(
    folder: Path, *runs: Run, inputs: tuple[NamedFile, ...] = INPUTS, outputs: tuple[NamedFile, ...] = OUTPUTS
) -> Path:
    """Make a bundle whose runs read two inputs and write a few outputs."""
    maker = BundleMaker(folder / "made")
    maker.file(b"/work/data.csv", PACKED, mode=0o640)
    maker.file(b"/work/second.csv", b"second\n")
    maker.file(b"/work/plain", b"no input\n")
    return maker.write(
        *(runs or RUNS.values()),
        results=(wrote(b"/work/out.txt", PACKED, run=(runs or tuple(RUNS.values()))[0].id),),
        inputs=inputs,
        outputs=outputs,
    )


def look(target: Target, bundle: Path) -> dict[str, list[str]]:
    """Return the states of all inputs and outputs, by their names."""
    found: dict[str, list[str]] = {}
    for one in look_closely(target, bundle):
        found.setdefault(one.file.name, []).append(one.state)
    return found


def look_closely(target: Target, bundle: Path) -> tuple[FileState, ...]:
    """Return all that is told of all inputs and outputs."""
    with open_bundle(bundle) as opened:
        return list_states(target, opened, (*list_inputs(opened), *list_outputs(opened)), peek(target.path))


DAMAGING = {
    "look": b"busybox find . | busybox sort; cat data.csv; stat -c '%u %a %Y' . data.csv gone",
    "tell": b"stat -c '%u %g %a %Y' data.csv; cat data.csv",
    "damage": b"""rm data.csv; ln -s /etc/passwd data.csv; ln -s /etc/os-release evil; ln -s elsewhere way
        mkdir elsewhere
        rm -r gone; echo result > result; ln -s result latest; ln -s /work/result absolute; busybox mkfifo pipe
        ln -s endless endless; mkdir closed; echo old > closed/file; busybox chmod 0 closed/file closed""",
    "modes": b"stat -c %a closed; ls data.csv; busybox test -f data.csv -a ! -L data.csv",
}
DAMAGING_RUNS = (
    *(make_run(script, id=name) for name, script in DAMAGING.items()),
    make_run(b"busybox chown -h 77:88 elsewhere latest pipe closed; :", id="give", uid=0, gid=0, groups=(0,)),
)


def make_damaging_bundle(folder: Path) -> Path:
    """Make a bundle of runs that look at a few files, and damage them."""
    maker = BundleMaker(folder / "made")
    maker.file(b"/work/data.csv", b"packed\n", mode=0o600)
    maker.directory(b"/work/gone")
    maker.directory(b"/work/gone/deep")
    maker.file(b"/work/gone/deep/file", b"old\n")
    maker.file(b"/work/shared", b"of others\n", uid=USER + 1)
    return maker.write(*DAMAGING_RUNS)
