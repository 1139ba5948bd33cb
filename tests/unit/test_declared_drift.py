"""What is declared compared with what was used, and pinned."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from zipfile import ZipFile

import pytest

from rtrace.declared.comparing import compare
from rtrace.declared.constraints import fits
from rtrace.declared.files.installed import read_dpkg, read_metadata
from rtrace.declared.model import Archive, Declarations, Declared, Ecosystem, Key
from rtrace.declared.names import find_used
from rtrace.declared.writing.formats import FORMATS, find_format
from rtrace.declared.writing.pins import collect_pins
from rtrace.errors import DeclarationError, UsageError
from rtrace.manifest.reading.toml import read_toml
from rtrace.manifest.reading.values import read_documents
from rtrace.operations.declared.pip_cache import find_hashes

REQUESTS = b"""\
Metadata-Version: 2.1
Name: Requests
Version: 2
Requires-Dist: idna<4
Provides-Extra: socks
Requires-Dist: PySocks>=1 ; extra == "socks"
Requires-Dist: old; python_version < "3"

Requires-Dist: body
"""
STATUS = b"""\
Package: dash
Priority: required
Depends: libc6

Package: libc6
Priority: optional
Version: 1

Package: jq
Priority: optional
Depends: libjq1 (= 1), libc6

Package: libjq1
Priority: optional

Package: bc
Priority: optional

Package: all
Depends: jq | bc
"""


@pytest.mark.parametrize(
    "ecosystem,constraint,version,fitting",
    [
        ("python", ">=1.2,<2", "1.9", True),
        ("python", "==1.2", "1.2+cu121", True),
        ("python", ">=1", "2.0rc1", True),
        ("python", "==1.2", "not a version", None),
        ("npm", "^1.2.0", "1.9.9", True),
        ("npm", "^1.2.0", "2.0.0", False),
        ("npm", "^1.2.0", "2.0.0-beta", False),
        ("npm", "^0.2.3", "0.2.9", True),
        ("npm", "^0.2.3", "0.3.0", False),
        ("npm", "^0.0.3", "0.0.4", False),
        ("npm", "~1.2", "1.2.9", True),
        ("npm", "~1.2", "1.3.0", False),
        ("npm", "1.x || >=2.5.0 <3", "2.4.0", False),
        ("npm", "1.x || >=2.5.0 <3", "2.9.1", True),
        ("npm", "1.2.3 - 2.3", "2.3.9", True),
        ("npm", "1.2.3 - 2.3", "2.4.0", False),
        ("npm", ">1.2", "1.2.9", False),
        ("npm", ">1.2.3", "1.2.3", False),
        ("npm", "<1.2", "1.2.0-beta", False),
        ("npm", "<= 1.2", "1.2.9", True),
        ("npm", "= v1.2.3", "1.2.3", True),
        ("npm", "1.2.3", "1.2.3+build", True),
        ("npm", "*", "0.0.1", True),
        ("npm", "latest", "1.0.0", None),
        ("npm", "git+https://example.org/x.git", "1.0.0", None),
        ("conda", "=1.2", "1.2.9", True),
        ("conda", "=1.2", "1.20", False),
        ("conda", "2.0", "2.0.0", True),
        ("conda", ">=1.2,<2|3.1.*", "3.1.4", True),
        ("conda", "~=1.2.1", "1.3", False),
        ("R", ">= 1.7", "1.7-3", True),
        ("R", "== 0.6.33", "0.6.34", False),
        ("dpkg", "7.88*", "7.88.1-10", True),
        ("dpkg", "1:2.0", "2.0", False),
    ],
)  # fmt: skip
def test_versions_fit_as_their_package_manager_says(
    ecosystem: Ecosystem, constraint: str, version: str, fitting: object
) -> None:
    """Each ecosystem has its own language for versions; what is none cannot be judged."""
    assert fits(ecosystem, constraint, version) is fitting


def find(
    declared: list[Declared], used: list[tuple[str, str, str]], requires: dict[Key, set[Key]] | None = None
) -> list[tuple[str, str, str | None, str | None]]:
    """Return the drift as kind, name, what is declared and where."""
    packages = [one for manager, name, version in used for one in find_used(manager, name, version)]
    drift = compare(Declarations(declared), packages, requires or {}, ("debian", "12"))
    return [(one.kind, one.name, one.declared, one.source) for one in drift.findings]


def need(name: str, constraint: str = "", group: str = "main", ecosystem: Ecosystem = "python") -> Declared:
    """Return a declaration."""
    return Declared(ecosystem, name, constraint, f"{group}.txt", group)


def test_three_kinds_of_drift() -> None:
    """Used and not declared, declared and not used, used in another version."""
    assert find([need("a", ">=2"), need("b")], [("python", "A", "1.0"), ("python", "c_d", "1")]) == [
        ("undeclared", "c_d", None, None),
        ("version", "A", ">=2", "main.txt"),
        ("unused", "b", None, "main.txt"),
    ]


def test_what_is_needed_by_what_is_declared_is_declared() -> None:
    """An installed distribution's own needs, and those of the extra that was asked for, are no drift."""
    requires: dict[Key, set[Key]] = {}
    read_metadata(REQUESTS, requires)
    used = [("python", "requests", "2"), ("python", "idna", "3"), ("python", "PySocks", "1.7")]
    assert find([need("requests")], used, requires) == [("undeclared", "PySocks", None, None)]
    asked: dict[Key, set[Key]] = {("python", "requests"): {("python", "requests[socks]")}}
    packages = [one for name in used for one in find_used(*name)]
    joined = compare(Declarations([need("requests")], asked), packages, requires, None)
    assert joined.findings == ()


def test_groups_for_developers_are_no_needs_of_a_run() -> None:
    """They may be unused; but what a run uses and they alone declare is not declared for it."""
    declared = [need("a"), need("tool", group="dev"), need("built", group="build"), need("more", group="extra x")]
    assert find(declared, [("python", "a", "1")]) == []
    assert find(declared, [("python", "a", "1"), ("python", "tool", "1"), ("python", "more", "1")]) == [
        ("undeclared", "tool", None, "dev.txt")
    ]


def test_a_lock_fixes_versions_and_declares_by_itself_alone_where_nothing_else_does() -> None:
    """Beside a pyproject.toml it has what developers need as well; of several versions in it, one has to fit."""
    lock = [need("a", "==1", "lock"), need("a", "==2", "lock"), need("z", "==1", "lock")]
    assert find(lock, [("python", "a", "2")]) == []
    assert find(lock, [("python", "a", "3")]) == [("version", "a", "==1", "lock.txt")]
    both = [("python", "b", "1"), ("python", "z", "1")]
    assert find([need("b"), *lock], both) == [("undeclared", "z", None, "lock.txt")]


def test_a_pin_of_what_others_need_is_not_unused() -> None:
    """Who pins everything declares what a used package needs, too."""
    requires: dict[Key, set[Key]] = {("python", "a"): {("python", "b")}}
    assert find([need("a"), need("b")], [("python", "a", "1")], requires) == []


def test_packages_of_other_managers_are_known_by_both_names() -> None:
    """A distribution of Python or package of R that Debian or conda installed is what a requirement means."""
    assert find([need("numpy", ">=1.20")], [("dpkg", "python3-numpy", "1:1.24.2-1+deb12u1")]) == []
    conda = [("conda", "numpy", "1.24.2-py311_0")]
    assert find([need("numpy", ">=2")], conda) == [("version", "numpy", ">=2", "main.txt")]
    assert find([need("ggplot2", ecosystem="R")], [("dpkg", "r-cran-ggplot2", "3.4.1+dfsg-1")]) == []


def test_installers_and_the_environment_itself_are_nobodys_need() -> None:
    """pip, setuptools, a venv and an editable project are not drift."""
    others = [("python", "pip", "23"), ("python", "venv in /x", "3.11"), ("python", "/x", "develop")]
    assert find([need("a")], [*others, ("python", "a", "1")]) == []


def test_packages_of_a_system_count_where_they_are_declared() -> None:
    """What every system has is its own, a package that brings others is used with them, and pins are compared."""
    status: dict[Key, set[Key]] = {}
    read_dpkg(STATUS, status)
    used = [("dpkg", "libc6", "1"), ("dpkg", "jq", "1"), ("dpkg", "libjq1", "1"), ("dpkg", "bc", "2")]
    assert find([need("a")], [*used, ("python", "a", "1")], status) == []
    apt = [need("jq", "1*", ecosystem="dpkg")]
    assert find(apt, used, status) == [("undeclared", "bc", None, None)]
    assert find([need("all", ecosystem="dpkg")], used, status) == []


def test_the_system_of_a_dockerfile_is_compared() -> None:
    """An image of another distribution or version than that of the run is drift."""
    used = [("dpkg", "jq", "1")]
    assert find([need("debian", "12", ecosystem="base")], used) == []
    assert find([need("debian", "11", ecosystem="base")], used) == [("version", "debian", "11", "main.txt")]
    assert find([need("ubuntu", "12", ecosystem="base")], used) == [("version", "ubuntu", "12", "main.txt")]


USED = [
    *find_used("python", "A_b", "1.0"),
    *find_used("python", "pip", "23.0"),
    *find_used("conda", "numpy", "1.26-py311h_0", "https://conda.example.org/forge/linux-64/numpy-1.26-py311h_0.conda"),
    *find_used("R", "digest", "0.6.33", "CRAN"),
    *find_used("dpkg", "r-base-core", "4.2.2.20221110-2"),
    *find_used("dpkg", "python3-six", "1.16.0-4"),
]
DIGEST = "d" * 64


def write(name: str, *, known: bool = True) -> tuple[str, tuple[str, ...]]:
    """Return a file that pins USED, and what it lacks."""
    key = ("a-b", "1.0")
    hashes = {key: {DIGEST}} if known else {}
    archives = {key: {"a_b-1.0-py3-none-any.whl": Archive("https://example.org/a_b.whl", DIGEST, 7)}} if known else {}
    written = FORMATS[name].write(collect_pins(USED, hashes, archives, "rtrace 1"))
    return written.text, written.losses


def test_requirements_are_pinned_with_hashes_of_all_or_of_none() -> None:
    """Pip refuses a file in which some have hashes and others have none."""
    text, losses = write("requirements")
    assert text.splitlines()[1:] == ["a-b==1.0 \\", f"    --hash=sha256:{DIGEST}"]
    assert losses == ()
    text, losses = write("requirements", known=False)
    assert text.splitlines()[1:] == ["a-b==1.0"]
    assert losses == ("no hashes, because those of A_b are in no lock file here and not in pip's cache",)


def test_a_pylock_has_addresses_or_is_not_written() -> None:
    """What is written is TOML with the address and hash of each archive; one sentence says why it cannot be."""
    document = read_toml(write("pylock")[0])
    wheel = {"name": "a_b-1.0-py3-none-any.whl", "url": "https://example.org/a_b.whl", "size": 7}
    assert document["packages"] == [
        {"name": "a-b", "version": "1.0", "wheels": [{**wheel, "hashes": {"sha256": DIGEST}}]}
    ]
    with pytest.raises(DeclarationError, match=r"the archives of A_b are in no uv\.lock or pylock\.toml"):
        write("pylock", known=False)


def test_other_formats_are_what_their_tools_read() -> None:
    """environment.yml is YAML, renv.lock JSON with R's version, and a list for apt has a pin a line."""
    (environment,) = read_documents(write("environment")[0], most=1000, deepest=10)
    assert environment == {
        "channels": ["https://conda.example.org/forge"],
        "dependencies": ["numpy=1.26=py311h_0", "pip", {"pip": ["a-b==1.0"]}],
    }
    renv = json.loads(write("renv")[0])
    assert renv["R"]["Version"] == "4.2.2.20221110"
    assert renv["Packages"]["digest"]["Version"] == "0.6.33"
    assert write("apt")[0] == "python3-six=1.16.0-4\nr-base-core=4.2.2.20221110-2\n"


@pytest.mark.parametrize(
    "word,file,path",
    [
        ("apt", "apt.txt", None),
        ("x/requirements-pinned.txt", "requirements.txt", "x/requirements-pinned.txt"),
        ("apt-pinned.txt", "apt.txt", "apt-pinned.txt"),
        ("pylock.study.toml", "pylock.toml", "pylock.study.toml"),
        ("env.yaml", "environment.yml", "env.yaml"),
    ],
)
def test_a_files_name_tells_its_format(word: str, file: str, path: str | None) -> None:
    """A format by its name goes to its usual file, and a file has the format that it is called by."""
    form, found = find_format(word)
    assert (form.file, found) == (file, path)


def test_an_unknown_format_is_told_with_the_known_ones() -> None:
    """A name that no format has is wrong usage."""
    with pytest.raises(UsageError, match="call it one of"):
        find_format("study.docx")


def test_wheels_in_pips_cache_have_the_hashes_that_an_index_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body of an answer that is a wheel is known by the distribution in it; what is no wheel is passed over."""
    folder = tmp_path / "http-v2/a/b"
    folder.mkdir(parents=True)
    with ZipFile(folder / "one.body", "w") as wheel:
        wheel.writestr("A_b-1.0.dist-info/METADATA", "Name: A_b\n")
    (folder / "two.body").write_bytes(b"PK\3\4 and no more")
    (folder / "three.body").write_bytes(b"<html>")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path))
    found = find_hashes({("a-b", "1.0"), ("c", "1")})
    assert found == {("a-b", "1.0"): {hashlib.sha256((folder / "one.body").read_bytes()).hexdigest()}}
    assert find_hashes(set()) == {}


def test_names_of_a_strangers_bundle_cannot_add_lines() -> None:
    """What is no name, version or address of a package is not pinned: it could be an option of pip or apt."""
    hostile = [
        *find_used("python", "x\n--index-url evil", "1"),
        *find_used("python", "y", "1\n--pre"),
        *find_used("python", "z", "1", "https://example.org/z\n-r /etc/passwd"),
        *find_used("dpkg", "-oAPT::x", "1"),
        *find_used("dpkg", "a b", "1"),
        *find_used("conda", "c", '1"\n  - d'),
    ]
    pins = collect_pins(hostile, {}, {}, "rtrace")
    requirements, apt, environment = (FORMATS[name].write(pins).text for name in ("requirements", "apt", "environment"))
    assert requirements.splitlines()[1:] == ["z==1"]
    assert apt == ""
    assert environment.partition("dependencies:")[2].split() == ["-", "pip", "-", "pip:", "-", '"z==1"']


@pytest.mark.parametrize(
    "manager,name", [("python", "venv in /work/.venv"), ("dpkg", "python3.11-minimal"), ("conda", "python")]
)
def test_the_interpreter_is_compared_and_never_pinned_as_a_distribution(manager: str, name: str) -> None:
    """`requires-python` is about the Python that the run used, whoever installed that."""
    used = [(manager, name, "3.11.2-6+deb12u3" if manager == "dpkg" else "3.11.2")]
    assert find([need("python", ">=3.10", "constraint")], used) == []
    ((kind, _, wanted, _),) = find([need("python", ">=3.12", "constraint")], used)
    assert (kind, wanted) == ("version", ">=3.12")
    pins = collect_pins([one for row in used for one in find_used(*row)], {}, {}, "rtrace")
    assert pins.of("python") == ()
    assert bool(pins.of("conda")) == (manager == "conda")


def test_metadata_of_a_stranger_is_read_within_limits() -> None:
    """Of a distribution that says it has very many needs and extras, so many are looked at, and no more."""
    extras = b"".join(b"Provides-Extra: e%d\n" % number for number in range(1000))
    needs = b"".join(b"Requires-Dist: p%d; extra == 'e1'\n" % number for number in range(3000))
    requires: dict[Key, set[Key]] = {}
    work = read_metadata(b"Name: huge\n" + extras + needs + b"Requires-Dist: " + b"x" * 100_000 + b"\n", requires)
    assert 3000 <= work <= 10_000
    assert len(requires["python", "huge[e1]"]) == 3000
