"""The graphics processors of this machine, from /sys and /proc: no program of a maker is needed."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtrace.record.document import GpuFact


_DISPLAY, _ACCELERATOR = "0x03", "0x12"  # classes of PCI devices
_MAKERS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel", "0x1af4": "Virtio", "0x1234": "QEMU",
           "0x15ad": "VMware", "0x80ee": "VirtualBox", "0x1a03": "ASPEED", "0x102b": "Matrox"}  # fmt: skip
_LISTS = ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids")
_NVIDIA_VERSION = r"Kernel Module(?: for \S+)?\s+([0-9.]+)"
_LIMIT = 64 << 10


def read_gpus(root: str = "/") -> list[GpuFact]:
    """Return the graphics processors and accelerators on the PCI bus, and those that are part of a chip."""
    devices = os.path.join(root, "sys/bus/pci/devices")
    gpus = []
    for address in _list(devices):
        device = os.path.join(devices, address)
        if _read(device, "class")[:4] in (_DISPLAY, _ACCELERATOR):
            gpus.append(_read_device(root, device, address))
    known = {gpu["address"] for gpu in gpus}
    for card in _list(os.path.join(root, "sys/class/drm")):
        device = os.path.join(root, "sys/class/drm", card, "device")
        address = os.path.basename(os.path.realpath(device))
        if card[:4] == "card" and card[4:].isdecimal() and address not in known:
            name = _read(device, "of_node/compatible").partition("\0")[0] or _read(device, "modalias") or None
            gpus.append({"name": name, "driver": _read_driver(root, device), "address": address})
    if not gpus and os.path.exists(os.path.join(root, "dev/dxg")):  # how Windows lends its own to Linux
        gpus.append({"name": "a graphics processor of Windows", "driver": "dxg", "address": None})
    return gpus


def _read_device(root: str, device: str, address: str) -> GpuFact:
    driver = _read_driver(root, device)
    name = None
    if driver and driver.startswith("nvidia"):
        facts = _read(root, "proc/driver/nvidia/gpus", address, "information")
        name = next((line.partition(":")[2].strip() for line in facts.splitlines() if line.startswith("Model:")), None)
    name = name or _read(device, "product_name") or _look_up(root, _read(device, "vendor"), _read(device, "device"))
    return {"name": name, "driver": driver, "address": address}


def _read_driver(root: str, device: str) -> str | None:
    """Return the driver's name, with its version where it is not the kernel's own."""
    try:
        name = os.path.basename(os.readlink(os.path.join(device, "driver")))
    except OSError:  # ENOENT: no driver has taken it
        return None
    version = _read(root, "sys/module", name, "version")
    if name == "nvidia" and not version:
        match = re.search(_NVIDIA_VERSION, _read(root, "proc/driver/nvidia/version"))
        version = match[1] if match else ""
    return f"{name} {version}".strip()


def _look_up(root: str, vendor: str, device: str) -> str | None:
    """Return the name of a PCI device, from the list that distributions keep; else its maker and number."""
    if not vendor:
        return None
    for place in _LISTS:
        with contextlib.suppress(OSError), open(os.path.join(root, place), encoding="utf-8", errors="replace") as file:
            maker = None
            for line in file:
                if line.startswith(vendor[2:] + " "):
                    maker = line[4:].strip()
                elif maker and line.startswith(f"\t{device[2:]} "):
                    return f"{maker} {line[5:].strip()}"
                elif maker and not line.startswith(("\t", "#")):
                    break
    return f"{_MAKERS.get(vendor, vendor)} {device}"


def _list(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _read(*parts: str) -> str:
    try:
        with open(os.path.join(*parts), "rb") as file:
            return file.read(_LIMIT).decode("utf-8", "replace").strip()
    except OSError:
        return ""
