"""The environment variables by which programs and libraries are told what to do the same way each time."""

from __future__ import annotations

from collections.abc import Mapping

from rtrace.freezing.model import SOURCE_DATE_EPOCH, Freeze

HASH_SEEDS = (b"PYTHONHASHSEED", b"PERL_HASH_SEED")
"""See the manuals of python(1) and perlrun(1)."""
THREADS = (
    b"OMP_NUM_THREADS",
    b"OPENBLAS_NUM_THREADS",
    b"MKL_NUM_THREADS",
    b"BLIS_NUM_THREADS",
    b"NUMEXPR_NUM_THREADS",
    b"RAYON_NUM_THREADS",
    b"JULIA_NUM_THREADS",
    b"GOMAXPROCS",
)
"""How many threads OpenMP, the libraries of linear algebra, and some languages start: sums depend on it."""
PADDING, MOST = b"RTRACE_FROZEN", 320
"""A variable that makes all these take as many bytes whatever is varied: the stack lies below the environment, and an
address would look as if it depended on a number of threads."""
_DISPATCH: Mapping[str, tuple[tuple[bytes, bytes, bytes], ...]] = {
    "x86_64": (
        (b"OPENBLAS_CORETYPE", b"Prescott", b"Haswell"),
        (b"MKL_CBWR", b"COMPATIBLE", b"AUTO"),
        (b"NPY_DISABLE_CPU_FEATURES", b"AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL", b"AVX512_ICL"),
        (b"GLIBC_TUNABLES", b"glibc.cpu.hwcaps=-AVX2,-AVX512F,-FMA,-FMA4", b"glibc.cpu.hwcaps=-AVX512F"),
    ),
    "aarch64": ((b"OPENBLAS_CORETYPE", b"ARMV8", b"NEOVERSEN1"),),
}
"""By machine: a variable, the processor that all machines of the kind can be taken for, and another one.

See OpenBLAS's README, Intel's oneMKL developer guide (Conditional Numerical Reproducibility), NumPy's guide to CPU
build options, and the chapter Tunables of the C library's manual.
"""


def list_frozen(environ: Mapping[bytes, bytes | None], freeze: Freeze, machine: str) -> dict[bytes, bytes]:
    """Return the variables to set for a program whose environment is given, on a machine as uname(2) names it.

    What the environment says already stays, for that is the same each time; the locale, too, is what it says.
    """
    seed = freeze.of("hash-seed")
    wanted = dict.fromkeys(HASH_SEEDS, b"%d" % seed)
    wanted[b"PERL_PERTURB_KEYS"] = b"0"
    wanted[SOURCE_DATE_EPOCH] = b"%d" % freeze.clock
    other = freeze.of("machine")
    wanted |= dict.fromkeys(THREADS, b"%d" % (1 + other))
    for name, usual, another in _DISPATCH.get(machine, ()):
        wanted[name] = another if other else usual
    if environ.get(HASH_SEEDS[0]) == b"random":
        environ = {name: value for name, value in environ.items() if name != HASH_SEEDS[0]}
    kept = {name: value for name, value in wanted.items() if not environ.get(name)}
    kept[PADDING] = b"." * (MOST - sum(map(len, kept.values())))
    return kept
