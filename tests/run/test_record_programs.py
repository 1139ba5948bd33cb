"""What a record says of programs and libraries that real compilers have made."""

import os
import subprocess
from pathlib import Path

import pytest

from rtrace.record.facts.executables import read_executable
from rtrace.record.facts.libraries import read_shared_object

pytestmark = pytest.mark.requires("gcc")

C = "int main(void) { return 0; }\n"


def compile_with(folder: Path, compiler: str, name: str, source: str, *options: str) -> Path:
    """Compile a source; it must succeed."""
    (folder / name).write_text(source)
    target = folder / "program"
    subprocess.run([compiler, *options, "-o", target, name], cwd=folder, check=True, capture_output=True, timeout=120)
    return target


def read_note(program: Path) -> str:
    """Return the build id as readelf has it."""
    done = subprocess.run(["readelf", "-n", program], check=True, capture_output=True, text=True)
    return done.stdout.partition("Build ID: ")[2].split("\n")[0].strip()


@pytest.mark.parametrize(
    "dwarf", ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5", "-gdwarf64", "-gsplit-dwarf", "-gz"]
)
def test_compiler_and_options(tmp_path: Path, dwarf: str) -> None:
    """With debugging information of any version, compressed or apart, the options of the compiler are known."""
    fact = read_executable(str(compile_with(tmp_path, "gcc", "a.c", C, "-O2", "-funroll-loops", "-g", dwarf)))
    assert str(fact["compiler"]).startswith("GCC: (")
    assert fact["language"] == "C"
    assert fact["build_id"] == read_note(tmp_path / "program")
    assert len(str(fact["build_id"])) == 40
    if dwarf != "-gsplit-dwarf":  # there, the options are in the file apart
        assert {"-O2", "-funroll-loops"} <= set(str(fact["compiler_flags"]).split())


def test_without_debugging_information(tmp_path: Path) -> None:
    """The compiler is known without it as well, its options are not; of a stripped program neither."""
    program = compile_with(tmp_path, "gcc", "a.c", C, "-O2")
    fact = read_executable(str(program))
    assert str(fact["compiler"]).startswith("GCC: (")
    assert (fact["compiler_flags"], fact["language"]) == (None, "C")
    subprocess.run(["strip", "--remove-section=.comment", program], check=True)
    fact = read_executable(str(program))
    assert (fact["compiler"], fact["language"], fact["build_id"]) == (None, None, read_note(program))


def test_programs_of_32_bits(tmp_path: Path) -> None:
    """A program for a smaller machine is read as well."""
    fact = read_executable(str(compile_with(tmp_path, "gcc", "a.c", C, "-m32", "-g", "-O1")))
    assert "-m32" in str(fact["compiler_flags"])
    assert fact["build_id"] == read_note(tmp_path / "program")


def test_a_shared_object(tmp_path: Path) -> None:
    """A library has the name that it gives itself, the version of its file's name, and a build id."""
    library = compile_with(
        tmp_path, "gcc", "a.c", "int f(void) { return 1; }\n", "-shared", "-fPIC", "-Wl,-soname,libown.so.3"
    )
    library.rename(tmp_path / "libown.so.3.2.1")
    (tmp_path / "libown.so.3").symlink_to("libown.so.3.2.1")
    fact = read_shared_object(str(tmp_path / "libown.so.3"))
    assert (fact["name"], fact["version"], fact["language"]) == ("libown.so.3", "3.2.1", "C")
    assert fact["build_id"] == read_note(tmp_path / "libown.so.3.2.1")


SOURCES = {
    "C++": ("g++", "a.cc", "#include <iostream>\nint main() { std::cout << 1; }\n"),
    "Fortran": ("gfortran", "a.f90", "program a\nprint *, 1\nend program\n"),
}


@pytest.mark.requires("g++", "gfortran")
@pytest.mark.parametrize("debugging", ["-g", "-g0"])
@pytest.mark.parametrize("language", SOURCES)
def test_languages(tmp_path: Path, language: str, debugging: str) -> None:
    """The language is known with debugging information, and by the libraries without."""
    assert read_executable(str(compile_with(tmp_path, *SOURCES[language], debugging)))["language"] == language


@pytest.mark.requires("rustc")
def test_rust(tmp_path: Path) -> None:
    """A program of Rust names its compiler."""
    fact = read_executable(str(compile_with(tmp_path, "rustc", "a.rs", "fn main() {}\n")))
    assert (fact["language"], "rustc" in str(fact["compiler"])) == ("Rust", True)


@pytest.mark.requires("go")
def test_go(tmp_path: Path) -> None:
    """A program of Go is known by what its compiler leaves in it."""
    (tmp_path / "a.go").write_text("package main\nfunc main() {}\n")
    environ = {**os.environ, "GOCACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    subprocess.run(["go", "build", "-o", "program", "a.go"], cwd=tmp_path, check=True, env=environ, capture_output=True)
    assert read_executable(str(tmp_path / "program"))["language"] == "Go"
