"""The seccomp filter as a value: which system calls are told to the tracer, refused, or run at full speed."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.kernel.call_table import AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, CLONE_UNTRACED, Condition
from rtrace.linux.bpf import (
    ALLOW,
    LOAD_ARCHITECTURE,
    LOAD_NUMBER,
    SECCOMP_RET_TRACE,
    Instruction,
    answer,
    assemble,
    for_architecture,
    if_any_bit,
    if_equal,
    if_not_below,
    keep_bits,
    load_argument,
    refuse,
    when_equal,
)
from rtrace.linux.interfaces import X32_BIT, X32_END
from rtrace.linux.libc import PR_SET_DUMPABLE

INT_MASK = 0xFFFFFFFF
STOP = answer(SECCOMP_RET_TRACE)


def build_filter(architectures: Iterable[Architecture], verdict: int, *, exposing: bool = False) -> bytes:
    """Return the filter for the interfaces that programs may use; calls of any other run unseen.

    ``verdict`` is what the filter returns for a call that the tracer must see; one whose result it must see, too, is
    always told by a stop. ``exposing`` keeps programs from hiding from a tracer without privileges: prctl(2) with
    PR_SET_DUMPABLE and 0 does nothing, and says that it did.
    """
    code = [LOAD_ARCHITECTURE]
    for architecture in architectures:
        exposure = build_exposure(architecture.prctl) if exposing and architecture.prctl >= 0 else []
        code += for_architecture(architecture.audit, [LOAD_NUMBER, *exposure, *build_section(architecture, verdict)])
    return assemble([*code, ALLOW])


def build_section(architecture: Architecture, verdict: int) -> list[Instruction]:
    """Return the part of the filter for one interface, with the call's number loaded; every path through it ends."""
    code: list[Instruction] = []
    for number in sorted(architecture.refused):
        code += when_equal(number, [refuse(errno.ENOSYS)])
    code += build_clones(architecture)
    for number, flags in sorted(architecture.fstat_aliases.items()):
        code += when_equal(number, build_fstat_test(flags, verdict))
    for number, condition in sorted(architecture.conditions.items()):
        test = build_test(condition, SECCOMP_RET_TRACE if number in architecture.awaited else verdict)
        code += when_equal(number, test)
    numbers = sorted(set(architecture.calls) - set(architecture.fstat_aliases) - set(architecture.conditions))
    x32 = [if_not_below(X32_BIT, otherwise=1), if_not_below(X32_END, otherwise=1)]
    tests = x32 if architecture.name == "x86_64" else []
    code += [
        if_equal(number, skip=len(numbers) - index + len(tests) + (number in architecture.awaited))
        for index, number in enumerate(numbers)
    ]
    return [*code, *tests, ALLOW, answer(verdict), STOP]


def build_exposure(prctl: int) -> list[Instruction]:
    """Return the part of the filter by which a program stays dumpable; see PR_SET_DUMPABLE in prctl(2)."""
    return [
        if_equal(prctl, otherwise=6),
        load_argument(0),
        if_equal(PR_SET_DUMPABLE, otherwise=3),
        load_argument(1),
        if_equal(0, otherwise=1),
        refuse(0),
        LOAD_NUMBER,
    ]


def build_clones(architecture: Architecture) -> list[Instruction]:
    """Return the part of the filter that stops a clone(2) with CLONE_UNTRACED, so that the flag is taken away.

    A child that nobody traces would have those of its calls refused that stop. The flags of clone3(2) are in memory,
    where no filter can look, so it always stops.
    """
    code: list[Instruction] = []
    if architecture.clone >= 0:
        code += when_equal(architecture.clone, [load_argument(0), if_any_bit(CLONE_UNTRACED, otherwise=1), STOP, ALLOW])
    if architecture.clone3 >= 0:
        code += when_equal(architecture.clone3, [STOP])
    return code


def build_fstat_test(flags: int, verdict: int) -> list[Instruction]:
    """Return the end of the filter for a call by which the C library also makes an fstat(3), which runs unseen.

    ``flags`` is the index of its flags.
    """
    return [
        load_argument(flags),
        keep_bits(INT_MASK & ~AT_NO_AUTOMOUNT),
        if_equal(AT_EMPTY_PATH, otherwise=3),
        load_argument(0),
        if_equal(AT_FDCWD, skip=1),
        ALLOW,
        answer(verdict),
    ]


def build_test(condition: Condition, verdict: int) -> list[Instruction]:
    """Return the end of the filter for a call that matters under a condition; its values fit in 32 bits."""
    values = condition.values
    ends = [ALLOW, answer(verdict)]
    if values:
        tests = [if_equal(value, skip=len(values) - index) for index, value in enumerate(values)]
        return [load_argument(condition.argument), *tests, *ends]
    brief = build_brief(condition)
    return [
        load_argument(condition.argument),
        if_equal(0, otherwise=len(brief) + 3),
        load_argument(condition.argument, high=True),
        if_equal(0, otherwise=len(brief) + 1),
        *brief,
        *ends,
    ]


def build_brief(condition: Condition) -> list[Instruction]:
    """Return the test of a message by flags and size: any other goes on behind it, and what matters skips that."""
    if condition.brief is None:
        return []
    flags, end = condition.brief
    return [
        load_argument(condition.argument - 1),
        if_equal(flags, otherwise=2),
        load_argument(condition.argument - 2),
        if_not_below(end, otherwise=1),
    ]
