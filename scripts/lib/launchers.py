"""Compile the launchers of the unpackers, and write their machine code where rtrace finds it.

All use one compiler, so that everybody gets the same bytes: another version makes others of the same source.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "unpackers/rtrace_unpackers/launchers"
SOURCES = FOLDER / "sources"
VERSION = "12.2.0"
"""Of the compiler: that of Debian 12."""
LINE = 96

COMPILERS: Mapping[str, Sequence[str]] = {
    "x86_64": ("gcc", "-m64", "-mgeneral-regs-only", "-mno-red-zone", "-fcf-protection=none"),
    "i386": ("gcc", "-m32", "-march=i686", "-mgeneral-regs-only", "-fcf-protection=none"),
    "aarch64": ("aarch64-linux-gnu-gcc-12", "-mgeneral-regs-only", "-mno-outline-atomics"),
}
EXTRACTORS = {"x86_64": "objcopy", "i386": "objcopy", "aarch64": "aarch64-linux-gnu-objcopy"}
PROGRAMS: Mapping[str, Sequence[str]] = {
    "container": ("x86_64", "aarch64", "i386"),
    "pause": ("x86_64", "aarch64", "i386"),
    "namespaces": ("x86_64", "aarch64"),
    "forward": ("x86_64", "aarch64", "i386"),
    "image": ("x86_64", "aarch64", "i386"),
}
"""The programs, and for which architectures there are any."""
OPTIONS = (
    *("-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror", "-Wno-array-bounds"),
    *("-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,noseparate-code"),
    *(
        "-fno-stack-protector",
        "-fno-asynchronous-unwind-tables",
        "-fno-unwind-tables",
        "-fno-jump-tables",
        "-fomit-frame-pointer",
    ),
    *("-fno-tree-loop-distribute-patterns", "-Wno-unused-function"),
    *("-T", str(SOURCES / "layout.ld"), "-Wl,--orphan-handling=error"),
)


def find_missing(architecture: str) -> str | None:
    """Return what is missing here to compile for an architecture as it was done for rtrace; None when nothing is."""
    compiler = COMPILERS[architecture][0]
    for command in (compiler, EXTRACTORS[architecture]):
        if shutil.which(command) is None:
            return f"the command {command}"
    version = subprocess.run([compiler, "-dumpfullversion"], check=True, capture_output=True, text=True).stdout.strip()
    return None if version == VERSION else f"{compiler} {VERSION}, which makes the same bytes (here it is {version})"


def compile_launcher(program: str, architecture: str, folder: Path) -> bytes:
    """Return the machine code of a program. Raises CalledProcessError, also when it has data."""
    linked, text = folder / "linked", folder / "text"
    source = SOURCES / f"{program}.c"
    commands: tuple[tuple[str | Path, ...], ...] = (
        (*COMPILERS[architecture], *OPTIONS, "-o", linked, source),
        (EXTRACTORS[architecture], "-O", "binary", "-j", ".text", linked, text),
    )
    for command in commands:
        subprocess.run(command, check=True)
    return text.read_bytes()


def render(code: Mapping[tuple[str, str], bytes]) -> str:
    """Return the module that holds the machine code."""
    lines = [
        f'"""Machine code of the launchers: what gcc {VERSION} makes of ``sources``. `scripts/launchers` writes it."""',
        "",
        "CODE = {",
    ]
    for (program, architecture), text in code.items():
        digits = text.hex()
        lines.append(f'    ("{program}", "{architecture}"): bytes.fromhex(')
        lines += [f'        "{digits[at : at + LINE]}"' for at in range(0, len(digits), LINE)]
        lines.append("    ),")
    return "\n".join([*lines, "}", '"""By program and architecture."""', ""])


def main() -> None:
    """Compile all, and write them."""
    code = {}
    with tempfile.TemporaryDirectory() as folder:
        for program, architectures in PROGRAMS.items():
            for architecture in architectures:
                missing = find_missing(architecture)
                if missing is not None:
                    sys.exit(f"scripts/launchers: {program} for {architecture} needs {missing}")
                code[program, architecture] = compile_launcher(program, architecture, Path(folder))
                print(f"{program} for {architecture}: {len(code[program, architecture])} bytes")
    (FOLDER / "machine_code.py").write_text(render(code), encoding="utf-8")


if __name__ == "__main__":
    main()
