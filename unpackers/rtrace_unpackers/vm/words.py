"""The names of what a vm target consists of, and of what its guest is told and tells."""

from __future__ import annotations

from rtrace_unpackers.target.state import MADE_BY_STATE

NAME = "vm"
KERNEL, INITRD = "kernel", "initrd"
TREE, CHANGES, CHANGES_NEW = "tree.img", "changes.qcow2", "changes.qcow2.new"
ROOTFS = "rootfs.tar"
"""The bundle's files on their way to the guest; gone when the target is made."""
MADE = (*MADE_BY_STATE, KERNEL, INITRD, TREE, CHANGES, CHANGES_NEW)

KEEPING = "shared_memory"
"""The word of the state that says whether /dev/shm is kept: `yes`."""
ACCELERATOR = "accelerator"
"""The word of the state that says how the machine is run: `kvm`, or emulated, `tcg`."""
AGAIN = "unpack the bundle again into another folder"
