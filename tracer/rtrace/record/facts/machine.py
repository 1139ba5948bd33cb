"""The machine that a run ran on: kernel, distribution, processor, memory and what the C library says of it."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rtrace.record.facts.addresses import read_addresses
from rtrace.record.facts.gpus import read_gpus

if TYPE_CHECKING:
    from rtrace.record.document import MachineFact

_FIRST_PROCESSOR = 16 << 10
"""Bytes of /proc/cpuinfo that hold the first processor: all of it takes milliseconds where there are hundreds."""
_ARM = {"0x41": "ARM", "0x42": "Broadcom", "0x43": "Cavium", "0x48": "HiSilicon", "0x4e": "NVIDIA", "0x50": "Ampere",
        "0x51": "Qualcomm", "0x61": "Apple", "0xc0": "Ampere"}  # fmt: skip
_SETTING_LIMIT = 1000
"""Characters of a value of confstr(3): some are lists of compiler options."""


def read_machine(environ: Mapping[str, str] | None = None) -> MachineFact:
    """Return what the machine is; the locale and the time zone are those of an environment, by default our own."""
    from rtrace.capture.host import describe_host

    environ = os.environ if environ is None else environ
    names = os.uname()
    host = describe_host()
    processor, flags = read_processor()
    return {
        "hostname": host.hostname,
        "addresses": read_addresses(),
        "system": names.sysname,
        "release": names.release,
        "version": names.version,
        "architecture": names.machine,
        "bits": struct.calcsize("P") * 8,
        "linkage": "ELF",
        "distribution": host.distribution or None,
        "distribution_version": host.distribution_version or None,
        "processor": processor,
        "processor_flags": flags,
        "cores": os.cpu_count(),
        "memory": _read_memory(),
        "gpus": read_gpus(),
        "libc": _read_libc(),
        "locale": next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), None),
        "time_zone": read_time_zone(environ),
        "settings": read_settings(),
    }


def read_processor(cpuinfo: str = "/proc/cpuinfo") -> tuple[str | None, list[str]]:
    """Return the name of the processor's model, and its flags in their order; see proc(5)."""
    try:
        with open(cpuinfo, "rb", buffering=0) as file:
            text = b""
            while b"\n\n" not in text and len(text) < _FIRST_PROCESSOR and (more := file.read(_FIRST_PROCESSOR)):
                text += more
    except OSError:
        return None, []
    facts: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    flags = facts.get("flags") or facts.get("Features") or facts.get("features") or facts.get("isa") or ""
    name = facts.get("model name") or facts.get("cpu model") or facts.get("cpu") or facts.get("Hardware")
    if not name and "CPU part" in facts:  # 64-bit ARM has numbers alone
        maker = facts.get("CPU implementer", "")
        name = f"{_ARM.get(maker, maker)} part {facts['CPU part']} revision {facts.get('CPU revision', '?')}"
    return name or None, flags.split()


def read_time_zone(environ: Mapping[str, str], root: str = "/") -> str | None:
    """Return the time zone's name: TZ, else what /etc/localtime leads to, else what /etc/timezone says."""
    if environ.get("TZ"):
        return environ["TZ"].removeprefix(":")
    with contextlib.suppress(OSError):  # no link: a copy of a zone, or nothing
        return os.readlink(os.path.join(root, "etc/localtime")).partition("zoneinfo/")[2] or None
    try:
        with open(os.path.join(root, "etc/timezone"), encoding="utf-8", errors="replace") as file:
            return file.readline(_SETTING_LIMIT).strip() or None
    except OSError:
        return None


def read_settings() -> dict[str, str]:
    """Return the values of sysconf(3) and confstr(3) that this machine knows, by their names."""
    settings = {}
    for name in sorted(os.sysconf_names):
        with contextlib.suppress(OSError, ValueError):  # EINVAL: a name that this C library does not know
            settings[name] = str(os.sysconf(name))
    for name in sorted(os.confstr_names):
        with contextlib.suppress(OSError, ValueError):
            value = os.confstr(name)
            if value is not None:
                settings[name] = value[:_SETTING_LIMIT]
    return settings


def _read_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _read_libc() -> str | None:
    """Return the C library of this machine; the GNU one tells its version, musl is known by its loader's name."""
    with contextlib.suppress(OSError, ValueError):  # musl knows no such name
        version = os.confstr("CS_GNU_LIBC_VERSION")
        if version:
            return version
    with contextlib.suppress(OSError):
        if any(name.startswith("ld-musl-") for name in os.listdir("/lib")):
            return "musl"
    return None
