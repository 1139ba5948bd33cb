"""Write fixtures/kernel-interfaces: what the kernel's own headers say of each system call interface.

    python scripts/lib/kernel_interfaces.py FOLDER

FOLDER is where Debian's linux-libc-dev was unpacked (`dpkg-deb --extract linux-libc-dev_*.deb FOLDER`), from Debian 13
on: it has the headers of all machines. They are compiled with this machine's gcc, which changes none of the values.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "kernel-interfaces"
INTERFACES = {
    "x86_64": ("x86", [], "AUDIT_ARCH_X86_64"),
    "i386": ("x86", ["-m32"], "AUDIT_ARCH_I386"),
    "aarch64": ("arm64", [], "AUDIT_ARCH_AARCH64"),
    "arm": ("arm", ["-m32", "-D__ARM_EABI__", "-U__i386__"], "AUDIT_ARCH_ARM"),
}
"""By name: the folder of the headers, what makes them speak of the interface, and the name of its AUDIT_ARCH value."""

CONSTANTS = (
    "O_ACCMODE O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DSYNC O_DIRECT O_LARGEFILE O_DIRECTORY O_NOFOLLOW"
    " O_NOATIME O_CLOEXEC O_SYNC O_PATH __O_TMPFILE AT_FDCWD AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_SYMLINK_FOLLOW"
    " AT_EMPTY_PATH RENAME_NOREPLACE RENAME_EXCHANGE RESOLVE_IN_ROOT IN_DONT_FOLLOW CLONE_NEWNS CLONE_NEWUSER"
    " PTRACE_GETEVENTMSG PTRACE_SETREGSET PTRACE_SEIZE PTRACE_INTERRUPT PTRACE_LISTEN PTRACE_GET_SYSCALL_INFO"
    " SECCOMP_RET_USER_NOTIF SECCOMP_RET_TRACE SECCOMP_RET_ERRNO SECCOMP_RET_ALLOW SECCOMP_IOCTL_NOTIF_RECV"
    " SECCOMP_IOCTL_NOTIF_SEND SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_USER_NOTIF_FLAG_CONTINUE ENOSYS FICLONE"
)
SIZES = ("sizeof(struct open_how)", "sizeof(struct seccomp_notif)", "sizeof(struct seccomp_notif_resp)")
HEADERS = ("fcntl", "ptrace", "seccomp", "audit", "stat", "openat2", "inotify", "sched", "fs", "errno", "version")

NO_CALLS = {"syscalls", "arch_specific_syscall"}
"""What headers number without meaning a call: how many there are, and where an architecture's own begin."""


def main(folder: Path) -> None:
    """Write one file an interface: lines of kind, name and value, with tabs between them."""
    for name, (machine, options, audit) in INTERFACES.items():
        include = [f"-I{folder}/usr/lib/linux/uapi/{machine}", f"-I{folder}/usr/include"]
        compiler = ["gcc", "-nostdinc", *options, *include]
        calls = read_calls(compiler)
        values = read_values(compiler, [audit, *CONSTANTS.split(), *SIZES])
        version = values.pop("LINUX_VERSION_CODE")
        lines = [f"# Linux {version >> 16}.{version >> 8 & 255}, made by scripts/lib/kernel_interfaces.py"]
        lines += [f"call\t{call}\t{number}" for call, number in sorted(calls.items(), key=lambda item: item[::-1])]
        lines += [f"value\t{key.removeprefix('__')}\t{value:#x}" for key, value in values.items()]
        (FIXTURES / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def read_calls(compiler: list[str]) -> dict[str, int]:
    """Return the numbers of all calls that asm/unistd.h defines."""
    source = "#include <asm/unistd.h>\n"
    macros = subprocess.run(
        [*compiler, "-E", "-dM", "-"], input=source, capture_output=True, text=True, check=True
    ).stdout
    names = sorted(set(re.findall(r"^#define __NR_([a-z]\w+) ", macros, re.MULTILINE)) - NO_CALLS)
    expanded = source + "".join(f'\nCALL "{name}" __NR_{name}' for name in names)
    text = subprocess.run(
        [*compiler, "-E", "-P", "-"], input=expanded, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    found = re.findall(r'^CALL "(\w+)" \(?(?:0 \+ )?(\d+)\)?$', text, re.MULTILINE)
    return {name: int(number) for name, number in found}


def read_values(compiler: list[str], expressions: list[str]) -> dict[str, int]:
    """Return the values of constants, found by the compiler: each one becomes a line of its assembly."""
    lines = [f"#include <linux/{header}.h>" for header in HEADERS] + ["void emit(void) {"]
    lines += [
        f'__asm__ volatile("VALUE {index} %c0" :: "i"((int)({expression})));'
        for index, expression in enumerate(["LINUX_VERSION_CODE", *expressions])
    ]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "values.c"
        source.write_text("\n".join([*lines, "}"]) + "\n")
        text = subprocess.run(
            [*compiler, "-S", "-o", "-", source], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    found = {int(index): int(value) for index, value in re.findall(r"VALUE (\d+) (-?\d+)", text)}
    return {
        expression: found[index] & 0xFFFFFFFF for index, expression in enumerate(["LINUX_VERSION_CODE", *expressions])
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
