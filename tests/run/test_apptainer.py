"""Targets of Apptainer: images that replay and verify themselves, and replays in its containers; by the real one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import without_namespaces
from apptainer_tool import IMAGE, give_apptainer
from bundle_making import BundleMaker, make_run, wrote
from plain_user import PlainUser
from waiting import find_processes, wait_until

pytestmark = pytest.mark.requires("busybox", "root", "user-namespaces", "newuidmap")

HOSTILE = b'$(echo a >/work/pwned)`echo b >/work/pwned`"; echo c >/work/pwned; "\'#{1}\n%post\n    touch /pwned\n\xff'
"""What means something to a shell, to a definition file and to Ruby."""


@pytest.fixture
def user(user_with_others: PlainUser) -> PlainUser:
    """A user with a name, who finds Apptainer."""
    return give_apptainer(user_with_others)


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """The beginning of a bundle."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/file", b"content\n")
    return maker


def give(user: PlainUser, bundle: Path) -> Path:
    """Copy a bundle into the user's home."""
    own = user.home / "bundle.rpz"
    shutil.copyfile(bundle, own)
    user.give(own)
    return own


def run_rtrace(user: PlainUser, *words: str | Path) -> tuple[int, bytes, str]:
    """Run rtrace as a user; return status, output and what was said."""
    done = user.run(user.rtrace, *words)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def run_image(user: PlainUser, verb: str, *words: str, image: tuple[str, ...] = IMAGE) -> tuple[int, str, str]:
    """Run Apptainer in a target, without rtrace; return status, output and what was said."""
    done = user.run("apptainer", "--silent", verb, *image, *words, cwd=user.home / "target")
    return done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace")


def test_an_image_replays_and_verifies_without_rtrace(user: PlainUser, maker: BundleMaker) -> None:
    """By run, as the recorded user; another content is different, and where nothing can be written, no verdict."""
    bundle = maker.write(
        make_run(b"id -u; cat file; echo new >made"),
        make_run(b"echo other >made2", id="second"),
        results=(wrote(b"/work/made", b"new\n"), wrote(b"/work/made2", b"another\n", run="second")),
    )
    status, _, said = run_rtrace(user, "unpack", "apptainer", give(user, bundle), "target")
    assert status == 0, said
    assert run_image(user, "run", "run1") == (0, "4321\ncontent\n", "")
    status, printed, said = run_image(user, "run", "verify", "run1")
    assert (status, printed.splitlines()[-1]) == (0, "all results are identical: 2 same"), (printed, said)
    status, printed, _ = run_image(user, "test")
    assert (status, "different  /work/made2" in printed) == (1, True)
    status, _, said = run_image(user, "test", image=IMAGE[:-2] + IMAGE[-1:])
    assert (status, "could not be kept here" in said) == (3, True)
    assert run_image(user, "run", "nope")[0] == 2
    labels = json.loads(user.run("apptainer", "inspect", "--json", "target/image.sif").stdout)
    assert labels["data"]["attributes"]["labels"]["rtrace.runs"] == "run1, second"


def test_without_build_the_definition_makes_the_image(user: PlainUser, maker: BundleMaker) -> None:
    """Which replays without rtrace, and which `rtrace replay` does not have; the same bundle gives the same files."""
    bundle = give(user, maker.write(make_run(b"echo new >made"), results=(wrote(b"/work/made", b"new\n"),)))
    contents = []
    for name in ("target", "again"):
        status, _, said = run_rtrace(user, "unpack", "apptainer", "--no-build", bundle, name)
        assert (status, "no image was made" in said) == (0, True), said
        made = {path.name: path.read_bytes() for path in (user.home / name).glob("image.*")}
        assert set(made) == {"image.def", "image.oci.tar"}
        contents.append(made)
    assert contents[0] == contents[1]
    status, _, said = run_rtrace(user, "replay", "target")
    assert (status, "the definition and the archive alone" in said) == (125, True)
    built = user.run("apptainer", "build", "--notest", "image.sif", "image.def", cwd=user.home / "target")
    assert built.returncode == 0, built.stderr
    assert run_image(user, "test")[0] == 0


def test_what_a_bundle_says_does_nothing(user: PlainUser, maker: BundleMaker) -> None:
    """Not in the definition, in labels, in scripts that Apptainer makes and executes, or in a name."""
    run = make_run(
        b'cat file; printf %s "$HOSTILE" >made; ls /work',
        environ=((b"PATH", b"/bin"), (b"HOSTILE", HOSTILE), (b'X";echo d >/work/pwned;"', b"y"), (HOSTILE, b"z")),
        hostname="$(id);'",
    )
    run = replace(run, argv=(*run.argv, HOSTILE))
    maker.file(b"/work/" + HOSTILE.replace(b"/", b"|"), b"odd\n")
    maker.directory(b"/.singularity.d/env")
    maker.file(b"/.singularity.d/env/99.sh", b"echo e >/work/pwned\n")
    bundle = maker.write(run, results=(wrote(b"/work/made", HOSTILE),))
    status, _, said = run_rtrace(user, "unpack", "apptainer", give(user, bundle), "target")
    assert status == 0, said
    definition = (user.home / "target/image.def").read_text("ascii")
    sections = [line for line in definition.splitlines() if line.startswith("%")]
    assert sections == ["%labels", "%help", "%runscript", "%test"]
    assert not set(definition.partition("%labels")[2].partition("%help")[0]) & set("$`\"';&|<>#\\")
    status, printed, said = run_image(user, "test")
    assert (status, printed.splitlines()[-1]) == (0, "all results are identical: 2 same"), (printed, said)
    status, printed, said = run_image(user, "run")
    assert (status, "pwned" in printed.splitlines()) == (0, False), said
    status, told, said = run_rtrace(user, "verify", "--unpacker", "apptainer", user.home / "bundle.rpz")
    assert (status, b"pwned" in told.splitlines()) == (0, False), said
    assert list(user.home.rglob("pwned")) == []


def test_nothing_is_written_through_a_link_of_a_bundle(user: PlainUser, maker: BundleMaker) -> None:
    """Where Apptainer writes when it builds, a link that leads to this machine is left out."""
    outside = user.home / "outside"
    outside.mkdir()
    for number, link in enumerate((
        b"/.singularity.d/labels.json", b"/.singularity.d/actions", b"/.singularity.d/runscript", b"/.run",
        b"/environment", b"/singularity", b"/etc/hosts", b"/etc/resolv.conf",
    )):  # fmt: skip
        place = outside / str(number)
        if link.endswith(b"actions"):
            place.mkdir()
        else:
            place.write_text("mine\n")
        maker.symlink(link, os.fsencode(place))
    user.give(outside)
    status, _, said = run_rtrace(user, "unpack", "apptainer", give(user, maker.write(make_run(b"id"))), "target")
    assert status == 0, said
    assert sorted(path.read_text() for path in outside.rglob("*") if path.is_file()) == ["mine\n"] * 7
    assert run_image(user, "run")[0] == 0


def test_scripts_behind_a_link_are_not_executed(user: PlainUser, maker: BundleMaker) -> None:
    """A replay is refused whose run has made one where Apptainer looks for scripts."""
    maker.directory(b"/work/env")
    maker.file(b"/work/env/99.sh", b"echo script >/work/pwned\n")
    maker.symlink(b"/.singularity.d", b"work")
    bundle = give(user, maker.write(make_run(b"ls /work")))
    assert run_rtrace(user, "unpack", "apptainer", bundle, "target")[0] == 0
    status, printed, said = run_rtrace(user, "replay", "target")
    assert (status, printed, "symbolic link to scripts" in said) == (125, b"", True)
    assert not (user.home / "target/root/work/pwned").exists()


def test_a_replay_is_shut_in(user: PlainUser, maker: BundleMaker) -> None:
    """It has few processes, no files of the machine, no capability, a filter, and no descriptor of Apptainer's."""
    script = (
        b"cd /proc/self; cat status; echo /proc/self/fd/*; cat net/dev; ls /proc /dev; cat mounts; "
        b"echo x >/proc/sys/kernel/hostname; echo x >/sys/x; echo x >/.rtrace/x; cat %s"
    ) % os.fsencode(user.home / "secret")
    (user.home / "secret").write_text("secret\n")
    for owner in (0, 4321):
        bundle = give(user, maker.write(make_run(script, uid=owner, gid=owner), name=f"{owner}.rpz"))
        _, printed, said = run_rtrace(user, "replay", "--unpacker", "apptainer", bundle)
        lines = printed.decode().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert status["Seccomp"] == "2", said
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapEff"], 16) == (0 if owner else int(status["CapBnd"], 16))
        assert int(status["CapBnd"], 16) & ~0xA80425FB == 0
        assert [line for line in lines if line.startswith("/proc/self/fd/")] == [
            "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3"
        ]
        assert [line.split(":")[0].strip() for line in lines if ":" in line and len(line.split()) == 17] == ["lo"]
        places = {line.split()[1] for line in lines if len(line.split()) == 6 and line.endswith(" 0 0")}
        assert {place for place in places if not place.startswith(("/dev", "/proc", "/sys"))} == {"/", "/.rtrace"}
        assert len([line for line in lines if line.isdigit()]) < 5
        assert b"secret\n" not in printed
        assert (
            sum(words in said for words in ("can't create /proc/sys", "can't create /sys/x", "can't create /.rtrace/x"))
            == 3
        )


def test_without_a_namespace_it_has_the_callers_ids(user: PlainUser, maker: BundleMaker) -> None:
    """Where the system gives none within a container, and says so."""
    bundle = give(user, maker.write(make_run(b"id -u; cat file")))
    path = os.pathsep.join(sys.path)
    starter = ("/usr/bin/env", f"PYTHONPATH={path}", sys.executable, without_namespaces.__file__, "one", str(user.uid))
    limited = replace(user, prefix=(*starter, "/usr/bin/env", "-u", "PYTHONPATH", user.prefix[-1]))
    status, printed, said = run_rtrace(limited, "replay", "--unpacker", "apptainer", bundle)
    assert (status, printed) == (0, b"%d\ncontent\n" % user.uid), said
    assert "it had your user and group" in said


def test_auto_takes_it_where_it_works(user: PlainUser, maker: BundleMaker) -> None:
    """After namespaces and engines; the doctor tells, and where namespaces are forbidden it tells that, too."""
    assert "replays with apptainer version" in run_rtrace(user, "doctor")[1].decode()
    path = os.pathsep.join(sys.path)
    starter = (
        "/usr/bin/env",
        f"PYTHONPATH={path}",
        sys.executable,
        without_namespaces.__file__,
        "limit",
        str(user.uid),
    )
    limited = replace(user, prefix=(*starter, "/usr/bin/env", "-u", "PYTHONPATH", user.prefix[-1]))
    _, _, said = run_rtrace(limited, "replay", give(user, maker.write(make_run(b"id"))))
    assert "apptainer: it starts no container here" in said


def test_limits_and_signals_end_it(user: PlainUser, maker: BundleMaker) -> None:
    """Processes, time and output are limited; what is sent to rtrace is passed on, and a killed one leaves nothing."""
    forks = b"i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i + 1)); done"
    bundle = give(user, maker.write(make_run(forks)))
    assert run_rtrace(user, "unpack", "apptainer", bundle, "target")[0] == 0
    status, _, said = run_rtrace(user, "replay", "--pids", "20", "--timeout", "60", "target")
    assert (status, "can't fork" in said) == (2, True), said
    waiting = b"trap 'kill $!; echo caught; exit 9' TERM; sleep 5432 & wait"
    other = give(user, maker.write(make_run(waiting), name="other.rpz"))
    assert run_rtrace(user, "unpack", "apptainer", other, "second")[0] == 0
    status, _, said = run_rtrace(user, "replay", "--timeout", "2", "second")
    assert (status, "--timeout" in said) == (124, True)
    for number in (signal.SIGTERM, signal.SIGKILL):
        with ended(user, "replay", user.home / "second") as running:
            wait_until(lambda: find_processes(b"sleep\x005432") != [])
            running.send_signal(number)
            printed = running.communicate(timeout=60)[0]
        assert (b"caught" in printed) == (number == signal.SIGTERM)
        wait_until(lambda: find_processes(b"sleep\x005432") == [])
    assert run_rtrace(user, "destroy", "second")[0] == 0
    assert not (user.home / "second").exists()


def ended(user: PlainUser, *words: str | Path) -> subprocess.Popen[bytes]:
    """Start rtrace as a user."""
    environment = {"HOME": str(user.home), "PATH": "/usr/bin:/bin"}
    command: list[str | Path] = [*user.prefix, user.rtrace, *words]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


@pytest.fixture
def nobody_finds_it(plain_user: PlainUser) -> PlainUser:
    """A user without Apptainer."""
    (plain_user.home / "bin").mkdir()
    return replace(plain_user, prefix=(*plain_user.prefix, f"PATH={plain_user.home}/bin:/usr/bin:/bin"))


def test_where_there_is_none_one_sentence_says_what_to_do(
    nobody_finds_it: PlainUser, maker: BundleMaker, tmp_path: Path
) -> None:
    """To a user, and to root, whom no container of it shuts in; without building it works."""
    if shutil.which("apptainer", path="/usr/bin:/bin"):
        pytest.skip("this machine has Apptainer")
    user, bundle = nobody_finds_it, maker.write(make_run(b"id"))
    own = give(user, bundle)
    status, _, said = run_rtrace(user, "unpack", "apptainer", own, "target")
    assert (status, said.count("\n")) == (125, 1)
    assert "install Apptainer" in said
    assert "--no-build" in said
    assert not (user.home / "target").exists()
    assert run_rtrace(user, "unpack", "apptainer", "--no-build", own, "target")[0] == 0
    assert run_rtrace(user, "unpack", "apptainer", "--base-image", "debian", own, "other")[0] == 2
    done = subprocess.run(
        [sys.executable, "-m", "rtrace", "unpack", "apptainer", bundle, tmp_path / "target"],
        check=False,
        capture_output=True,
    )
    assert (done.returncode, b"for plain users" in done.stderr) == (125, True)
