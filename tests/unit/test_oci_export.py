"""An image as one file: both layouts agree, the same bundle gives the same bytes, hostile bundles get nothing out."""

import gzip
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bundle_making import TIME, USER, BundleMaker, digest, make_run, wrote
from rtrace.bundle.data import gzip_writer
from rtrace.bundle.entry import Entry, FileType
from rtrace.elsewhere.sources import Sources
from rtrace.errors import BundleError, ElsewhereError, HostileBundleError, RtraceError, TargetError, UsageError
from rtrace.exports.protocol import Exporting
from rtrace.manifest.model import Elsewhere, NamedFile, Package
from rtrace.opening import open_bundle
from rtrace.operations.export import expect
from rtrace_unpackers.oci import EXPORTER


@dataclass(frozen=True)
class Image:
    """What is in an image's file."""

    blobs: dict[str, bytes]
    documents: dict[str, Any]
    layers: list[bytes]

    @property
    def configuration(self) -> dict[str, Any]:
        """The image's configuration."""
        found: dict[str, Any] = json.loads(self.blobs[self.documents["manifest.json"][0]["Config"]])
        return found

    def names(self, number: int) -> dict[str, tarfile.TarInfo]:
        """The members of a layer; the one on top has number -1."""
        with tarfile.open(fileobj=io.BytesIO(self.layers[number])) as tar:
            return {member.name: member for member in tar}


def write(bundle: Path, name: str = "x.oci.tar", **options: Any) -> Path:
    """Export a bundle beside it, as `rtrace export` does."""
    with open_bundle(bundle) as opened:
        return EXPORTER.export(Exporting(opened, lambda: expect(opened), **options), bundle.parent / name).target


def read(path: Path) -> Image:
    """Read an image's file, and check every digest and size in it."""
    with tarfile.open(path) as tar:
        contents = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        files = {name: file.read() for name, file in contents.items() if file is not None}
    documents = {name: json.loads(files.pop(name)) for name in ("oci-layout", "index.json", "manifest.json")}
    assert all(name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}" for name, content in files.items())
    (listed,) = documents["index.json"]["manifests"]

    def find(descriptor: dict[str, Any]) -> bytes:
        content = files[f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"]
        assert descriptor["size"] == len(content)
        return content

    manifest = json.loads(find(listed))
    configuration = json.loads(find(manifest["config"]))
    layers = [gzip.decompress(find(layer)) for layer in manifest["layers"]]
    assert configuration["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    assert len(configuration["history"]) == len(layers)
    assert all(step["created"] for step in configuration["history"])
    (docker,) = documents["manifest.json"]
    assert docker["Config"].endswith(manifest["config"]["digest"].removeprefix("sha256:"))
    expected = [f"blobs/sha256/{layer['digest'].removeprefix('sha256:')}" for layer in manifest["layers"]]
    assert docker["Layers"] == expected
    return Image(files, documents, layers)


def make_sample(folder: Path) -> BundleMaker:
    """Return a bundle with a package, an experiment and an input."""
    maker = BundleMaker(folder, runnable=False)
    maker.directory(b"/usr", uid=0)
    maker.file(b"/usr/tool", b"a tool", uid=0)
    item = maker.items[b"/usr/tool"]
    maker.items[b"/usr/tool"] = item._replace(entry=item.entry._replace(package="tool"))
    maker.file(b"/work/script", b"a script")
    maker.file(b"/work/data", b"data 1")
    maker.add(Entry(b"/work/zz-again", FileType.REGULAR, 0o644, USER, USER, TIME, 6, link=b"/work/data"))
    maker.symlink(b"/work/link", b"data")
    return maker


PACKAGE = Package("tool", "1", "amd64", "dpkg", 1, 6)
INPUTS = (NamedFile("data", b"/work/data", ("run1",)),)


def write_sample(maker: BundleMaker, name: str = "b.rpz") -> Path:
    """Write the bundle of a sample."""
    results = (wrote(b"/work/out", b"1\n"),)
    return maker.write(make_run(), name=name, packages=(PACKAGE,), inputs=INPUTS, results=results)


def test_docker_and_oci_find_the_same_image(tmp_path: Path) -> None:
    """Both manifests name the same blobs; every digest and size is right; the configuration says how it is started."""
    bundle = write_sample(make_sample(tmp_path))
    image = read(write(bundle))
    with open_bundle(bundle) as opened:
        identity = opened.identity
    assert image.documents["oci-layout"] == {"imageLayoutVersion": "1.0.0"}
    assert image.documents["manifest.json"][0]["RepoTags"] == [f"rtrace-bundle:{identity[:12]}"]
    (listed,) = image.documents["index.json"]["manifests"]
    assert listed["platform"] == {"architecture": "amd64", "os": "linux"}
    assert listed["annotations"]["org.opencontainers.image.ref.name"] == identity[:12]
    configuration = image.configuration
    assert (configuration["architecture"], configuration["os"]) == ("amd64", "linux")
    assert configuration["created"] == "1970-01-01T00:00:02Z"
    config = configuration["config"]
    assert config["Entrypoint"] == ["/.rtrace/start"]
    assert (config["User"], config["WorkingDir"]) == (f"{USER}:{USER}", "/work")
    assert config["Env"] == ["PATH=/bin", "HOME=/work"]
    assert config["Labels"]["rtrace.bundle"] == identity
    assert config["Labels"]["org.opencontainers.image.title"] == "sh -c  zero"
    assert set(image.names(-1)) == {".rtrace", ".rtrace/run1", ".rtrace/start"}


def test_packages_experiment_and_inputs_are_apart(tmp_path: Path) -> None:
    """A changed input changes the layer of inputs, and our own, which has the identity; links are with their file."""
    maker = make_sample(tmp_path)
    before = read(write(write_sample(maker)))
    assert [set(before.names(number)) for number in range(3)] == [
        {"usr", "usr/tool"},
        {"bin", "dev", "proc", "sys", "work", "work/script", "work/link"},
        {"work", "work/data", "work/zz-again"},
    ]
    assert before.names(2)["work/zz-again"].linkname == "work/data"
    assert before.names(2)["work"].mtime == pytest.approx(TIME / 1e9)
    assert (before.names(1)["work"].mtime, before.names(1)["work"].uid) == (0, USER)
    maker.file(b"/work/data", b"data 2")
    folder = maker.items[b"/work"]
    maker.items[b"/work"] = folder._replace(entry=folder.entry._replace(mtime_ns=5))
    after = read(write(write_sample(maker, "c.rpz"), "y.oci.tar"))
    assert [one == other for one, other in zip(before.layers, after.layers, strict=True)] == [True, True, False, False]


def test_the_same_bundle_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the number of cores, nor the name of the bundle, nor the time has an influence on the file."""
    maker = make_sample(tmp_path)
    maker.file(b"/work/large", os.urandom(1 << 20) * 3)
    bundle = write_sample(maker)
    copy = tmp_path / "other-name.rpz"
    copy.write_bytes(bundle.read_bytes())
    written = write(bundle).read_bytes()
    monkeypatch.setattr(gzip_writer, "cores", lambda: 7)
    assert write(copy, "y.oci.tar").read_bytes() == written


def test_copies_are_files_of_their_own(tmp_path: Path) -> None:
    """Files of the same content, which a bundle holds once, are whole in each layer that has one."""
    maker = make_sample(tmp_path)
    for path in (b"/work/one", b"/work/two", b"/work/data"):
        maker.file(path, b"the same" * 1000)
    image = read(write(write_sample(maker)))
    for number, names in ((1, ("work/one", "work/two")), (2, ("work/data",))):
        with tarfile.open(fileobj=io.BytesIO(image.layers[number])) as tar:
            for name in names:
                file = tar.extractfile(name)
                assert file is not None
                assert file.read() == b"the same" * 1000


def test_names_of_any_bytes_stay_names(tmp_path: Path) -> None:
    """Names with newlines, of no UTF-8, and of 200 bytes are in a layer as they are; so are times before 1970."""
    maker = BundleMaker(tmp_path, runnable=False)
    names = (b"/work/line\nbreak", b"/work/caf\xe9", b"/work/" + b"n" * 200)
    for name in names:
        maker.file(name, b"1")
    maker.add(Entry(b"/work/old", FileType.SYMLINK, 0o777, USER, USER, -1_500_000_000, target=b"/\xff"))
    found = read(write(maker.write(make_run()))).names(0)
    assert {os.fsdecode(name[1:]) for name in names} <= set(found)
    assert (found["work/old"].mtime, os.fsencode(found["work/old"].linkname)) == (-1.5, b"/\xff")


def test_what_a_bundle_says_stays_a_value(tmp_path: Path) -> None:
    """Arguments and variables of any bytes, quotes and newlines stay in their strings; launchers in their folder."""
    environ = ((b"A", b'"\\\n$(x)'), (b"B", b'"],"User":"0"'), (b"\xff", b"1"), (b"=", b"2"))
    runs = tuple(
        make_run(id=name, argv=(b"\x1b[31m", b'"}', b"\xff"), environ=environ, workingdir=b"/work/\n", finished=1e300)
        for name in ("start", "../../etc/passwd", "run-number-1")
    )
    image = read(write(BundleMaker(tmp_path, runnable=False).write(*runs)))
    config = image.configuration["config"]
    assert config["Env"] == ['B="],"User":"0"']
    assert config["User"] == f"{USER}:{USER}"
    assert "WorkingDir" not in config
    assert config["Labels"]["org.opencontainers.image.title"] == '\\x1b[31m "} \\xff'
    assert image.configuration["created"] == "1970-01-01T00:00:00Z"
    names = {".rtrace", ".rtrace/start", *(f".rtrace/run-number-{number}" for number in (1, 2, 3))}
    assert set(image.names(-1)) == names


def test_runs_of_several_users_begin_as_root(tmp_path: Path) -> None:
    """Where runs have different users the image is root's, which becomes each of them."""
    runs = (make_run(), make_run(id="root", uid=0, gid=0))
    assert read(write(BundleMaker(tmp_path, runnable=False).write(*runs))).configuration["config"]["User"] == "0:0"


def test_other_processors_have_their_names(tmp_path: Path) -> None:
    """The image of a run on arm64 says so, with its variant, wherever it is written."""
    image = read(write(BundleMaker(tmp_path, runnable=False).write(make_run(architecture="aarch64"))))
    expected = {"architecture": "arm64", "os": "linux", "variant": "v8"}
    assert image.documents["index.json"]["manifests"][0]["platform"] == expected
    assert {key: image.configuration[key] for key in expected} == expected


def test_shared_memory_is_a_volume(tmp_path: Path) -> None:
    """Files in /dev/shm are in a volume, as an engine would hide them otherwise."""
    maker = BundleMaker(tmp_path, runnable=False)
    maker.directory(b"/dev/shm")
    maker.file(b"/dev/shm/one", b"1")
    assert read(write(maker.write(make_run()))).configuration["config"]["Volumes"] == {"/dev/shm": {}}


@pytest.mark.parametrize("path", [b"/.rtrace/start", b"/.rtrace/run1", b"/work/.wh.data", b"/work/.wh..wh..opq"])
def test_what_would_replace_or_remove_is_refused(path: bytes, tmp_path: Path) -> None:
    """Neither our folder nor the mark of something removed can be in a bundle that becomes an image."""
    maker = BundleMaker(tmp_path, runnable=False)
    maker.file(path, b"1")
    bundle = maker.write(make_run())
    with pytest.raises((HostileBundleError, TargetError), match=r"where rtrace puts launchers|something removed"):
        write(bundle)
    assert not list(tmp_path.glob("x.oci.tar*"))


@pytest.mark.parametrize(
    "changes, error, sentence",
    [
        ({"architecture": "riscv64"}, TargetError, "an image cannot replay programs for riscv64"),
        ({"uid": 4_294_967_295}, RtraceError, "4294967295"),
        ({"gid": 3_000_000_000}, TargetError, "engines run programs with ids up to"),
    ],
)
def test_run_that_no_container_can_have_is_refused(
    changes: dict[str, Any], error: type[RtraceError], sentence: str, tmp_path: Path
) -> None:
    """Other processors and ids that are none are refused in one sentence, before anything is written."""
    bundle = BundleMaker(tmp_path, runnable=False).write(make_run(**changes))
    with pytest.raises(error, match=sentence):
        write(bundle)
    assert not list(tmp_path.glob("x.oci.tar*"))


def test_bundle_without_runs_is_refused(tmp_path: Path) -> None:
    """An image has to replay something."""
    with pytest.raises(BundleError, match="holds no run to replay"):
        write(BundleMaker(tmp_path, runnable=False).write())


def test_content_elsewhere_is_asked_for(tmp_path: Path) -> None:
    """Content that is not in the bundle comes from a folder; without one, the image is refused."""
    maker = BundleMaker(tmp_path, runnable=False)
    content = b"large" * 100
    maker.file(b"/work/large", content)
    item = maker.items[b"/work/large"]
    maker.items[b"/work/large"] = item._replace(entry=item.entry._replace(elsewhere=True))
    bundle = maker.write(make_run(), elsewhere=(Elsewhere(b"/work/large", len(content), digest(content)),))
    with pytest.raises(ElsewhereError, match="/work/large"):
        write(bundle)
    (tmp_path / "store").mkdir()
    (tmp_path / "store/large").write_bytes(content)
    image = read(write(bundle, sources=Sources((tmp_path / "store",))))
    assert image.names(0)["work/large"].size == len(content)


def test_existing_file_is_left_alone(tmp_path: Path) -> None:
    """A file of the name stays as it is."""
    bundle = write_sample(make_sample(tmp_path))
    (tmp_path / "x.oci.tar").write_bytes(b"mine")
    with pytest.raises(BundleError, match="exists already"):
        write(bundle)
    assert (tmp_path / "x.oci.tar").read_bytes() == b"mine"


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A disk that takes no more bytes is told of in one sentence, and nothing is left behind."""
    maker = make_sample(tmp_path)
    maker.file(b"/work/large", os.urandom(300_000))
    bundle = write_sample(maker)
    before = sorted(os.listdir(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "rtrace", "export", "-f", "oci", "-o", "x.oci.tar", bundle],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    if "there is no format" in done.stderr:
        pytest.skip("a bare checkout has no entry points")
    assert done.returncode == 125
    assert done.stderr.startswith("rtrace: cannot write x.oci.tar: File too large; nothing was left there")
    assert sorted(os.listdir(tmp_path)) == before


def test_exporter_of_another_name_is_unknown(tmp_path: Path) -> None:
    """A format that nobody has is refused, with those that there are."""
    from rtrace.operations.export import export

    with pytest.raises(UsageError, match="there is no format 'ocj'"):
        export(write_sample(make_sample(tmp_path)), "ocj", tmp_path / "y")
