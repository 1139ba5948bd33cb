"""Completion: what loads lazily goes in although the run did not touch it, each thing with a switch of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtrace.describe import completion
from rtrace.describe.completion import complete
from sites import make_site


def test_a_distribution_is_completed_from_its_record(tmp_path: Path) -> None:
    """All that RECORD lists goes in, except compiled files and what was traced; unused distributions stay out."""
    site = make_site(tmp_path)
    used = bytes(site / "lazy/__init__.py")
    (addition,) = complete([used], {used})
    assert (addition.rule, addition.name, addition.size) == ("python", "lazy 1.0", 35)
    assert [path.removeprefix(bytes(tmp_path)) for path in addition.paths] == [
        b"/bin/lazy",
        b"/lib/site-packages/lazy-1.0.dist-info/METADATA",
        b"/lib/site-packages/lazy/a,b.txt",
        b"/lib/site-packages/lazy/later.py",
    ]


def test_the_source_of_a_compiled_module(tmp_path: Path) -> None:
    """Beside each compiled module its source goes in, where there is one."""
    for name in ("a.py", "__pycache__/a.cpython-311.pyc", "__pycache__/gone.cpython-311.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1234")
    (addition,) = complete([bytes(path) for path in (tmp_path / "__pycache__").iterdir()], ())
    assert (addition.rule, addition.paths, addition.size) == ("python", (bytes(tmp_path / "a.py"),), 4)


def test_plugins_beside_one_that_was_loaded(tmp_path: Path) -> None:
    """A folder of plugins is completed when one of them was loaded; a folder of libraries is not."""
    for name in ("plugins/a.so", "plugins/b.so", "lib/a.so", "lib/b.so"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1234")
    used = [bytes(tmp_path / "plugins/a.so"), bytes(tmp_path / "lib/a.so")]
    (addition,) = complete(used, used)
    assert (addition.rule, addition.paths, addition.size) == ("plugins", (bytes(tmp_path / "plugins/b.so"),), 4)


@pytest.mark.parametrize(
    "used",
    ["lazy-1.0.dist-info/METADATA", "lazy-1.0.dist-info/entry_points.txt", "lazy-1.0.dist-info/RECORD", "lazy/a,b.txt"],
)
def test_what_is_said_about_a_distribution_is_no_use_of_it(tmp_path: Path, used: str) -> None:
    """A look for entry points reads the metadata of all that is installed, and imports none of it."""
    path = bytes(make_site(tmp_path) / used)
    assert complete([path], {path}) == []


def test_the_rest_of_a_namespace_stays_out(tmp_path: Path) -> None:
    """Distributions that share a folder are others: the one that was imported is completed."""
    site = tmp_path / "lib/site-packages"
    for name in ("one", "two"):
        (site / "shared" / name).mkdir(parents=True)
        (site / f"{name}-1.dist-info").mkdir()
        files = (f"shared/{name}/__init__.py", f"shared/{name}/later.py")
        for file in files:
            (site / file).write_text("")
        (site / f"{name}-1.dist-info/RECORD").write_text("".join(f"{file},,0\n" for file in files))
    used = bytes(site / "shared/one/__init__.py")
    (addition,) = complete([used], {used})
    assert (addition.name, addition.paths) == ("one 1", (bytes(site / "shared/one/later.py"),))


@pytest.mark.parametrize("used", ["lazy/__pycache__/__init__.cpython-311.pyc", "lazy/fast.so", "lazy/tool"])
def test_compiled_modules_libraries_and_programs_are_uses(tmp_path: Path, used: str) -> None:
    """Whatever of it is loaded or executed completes a distribution."""
    site = make_site(tmp_path)
    with (site / "lazy-1.0.dist-info/RECORD").open("a") as record:
        record.write("lazy/fast.so,,1\nlazy/tool,,1\n")
    path = bytes(site / used)
    names = [addition.name for addition in complete([path], {path}, {path} if used == "lazy/tool" else ())]
    assert "lazy 1.0" in names


def test_a_start_of_python_uses_no_distribution(tmp_path: Path) -> None:
    """What setuptools has every Python load at its start does not bring the rest of it."""
    site = tmp_path / "lib/site-packages"
    for name in ("_distutils_hack/__init__.py", "setuptools/__init__.py", "setuptools-1.dist-info/RECORD"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("_distutils_hack/__init__.py,,0\nsetuptools/__init__.py,,0\n")
    path = bytes(site / "_distutils_hack/__init__.py")
    assert complete([path], {path}) == []


def test_a_time_zone_comes_with_its_other_names(tmp_path: Path) -> None:
    """Links and copies of the zone in use go in, and no other zone."""
    zones = tmp_path / "zoneinfo"
    (zones / "Europe").mkdir(parents=True)
    for name, content in {"Europe/Paris": b"TZif1", "Copy": b"TZif1", "Europe/Rome": b"TZif2"}.items():
        (zones / name).write_bytes(content)
    (zones / "Link").symlink_to("Europe/Paris")
    (zones / "Other").symlink_to("Europe/Rome")
    (zones / "zone.tab").write_bytes(b"TZif1")
    used = bytes(zones / "Europe/Paris")
    (addition,) = complete([used], {used})
    assert addition.rule == "timezone"
    assert [os.path.basename(path) for path in addition.paths] == [b"Copy", b"Link"]


def test_many_time_zones_are_completed_as_one(tmp_path: Path) -> None:
    """Where a program looks at each zone, as `zoneinfo.available_timezones` does, the manifest has one switch."""
    zones = tmp_path / "zoneinfo"
    zones.mkdir()
    for number in range(20):
        (zones / f"{number}").write_bytes(b"TZif%d" % number)
        (zones / f"copy{number}").write_bytes(b"TZif%d" % number)
    used = frozenset(bytes(zones / f"{number}") for number in range(19))
    (addition,) = complete(used, used)
    assert (addition.rule, addition.name) == ("timezone", str(zones))
    assert set(addition.paths) == {bytes(zones / f"copy{number}") for number in range(19)}


def test_a_distribution_of_time_zones_comes_without_them(tmp_path: Path) -> None:
    """Of zones that a distribution brings, those in use are traced, and the others stay out."""
    site = make_site(tmp_path)
    with (site / "lazy-1.0.dist-info/RECORD").open("a") as record:
        record.write("lazy/zoneinfo/__init__.py,,1\nlazy/zoneinfo/Europe/Paris,,100\nlazy/zones.tab,,1\n")
    path = bytes(site / "lazy/__init__.py")
    (addition,) = complete([path], {path})
    names = [path.partition(b"/lazy/")[2] for path in addition.paths]
    assert b"zoneinfo/__init__.py" in names
    assert b"zones.tab" in names
    assert b"zoneinfo/Europe/Paris" not in names


@pytest.mark.parametrize("used, more", [("ca-certificates.crt", False), ("one.pem", True)])
def test_certificates_come_with_single_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: str, *, more: bool
) -> None:
    """A file with all certificates in it needs no others."""
    for name in ("ca-certificates.crt", "one.pem", "two.pem"):
        (tmp_path / name).write_text("certificate")
    monkeypatch.setattr(completion, "_CERTIFICATES", (bytes(tmp_path),))
    path = bytes(tmp_path / used)
    added = [path for addition in complete([path], {path}) for path in addition.paths]
    assert added == ([bytes(tmp_path / name) for name in ("ca-certificates.crt", "two.pem")] if more else [])


def test_what_is_large_is_not_added_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a size the switch begins as off."""
    used = bytes(make_site(tmp_path) / "lazy/__init__.py")
    assert complete([used], {used})[0].cheap
    monkeypatch.setattr(completion, "CHEAP", 34)
    assert not complete([used], {used})[0].cheap


def test_what_dvc_watches(tmp_path: Path) -> None:
    """DVC may watch whatever lies in its work tree, but for what is its own."""
    top = bytes(tmp_path)
    looked = {top + b"/data": 3, top + b"/.dvc/cache/x": 4, top + b"/.git/x": 5, b"/elsewhere/data": 6}
    (addition,) = complete([top + b"/.dvc/config"], (), looked=looked)
    assert (addition.rule, addition.paths, addition.size) == ("dvc", (top + b"/data",), 3)
