"""Files that are part of a program rather than data, by their names."""

from __future__ import annotations

_PROGRAM_SUFFIXES = frozenset(
    b"py pyc pyo pyi pyd pyx pth ipynb so o a la ko sh bash zsh fish csh awk sed pl pm pod rb gem js mjs cjs ts tsx jsx"
    b" wasm node jl lua tcl r rmd rdb rdx m go rs java class jar kt scala groovy c h cc cpp cxx c++ hh hpp hxx inl cu"
    b" cuh f for f77 f90 f95 f03 f08 mod s asm hs ml mli ex exs erl cs vb php swift mk mak cmake ninja make smk nf wdl"
    b" cwl".split()
)
_PROGRAM_NAMES = frozenset(
    b"makefile gnumakefile cmakelists.txt snakefile rakefile dockerfile meson.build configure pyvenv.cfg pyproject.toml"
    b" setup.cfg package.json package-lock.json".split()
)
_PROGRAM_FOLDERS = (
    b"/site-packages/", b"/dist-packages/", b"/node_modules/", b"/__pycache__/", b"/conda-meta/", b".dist-info/",
    b".egg-info/",
)  # fmt: skip


def is_program(path: bytes) -> bool:
    """Whether a file is, by its name, part of a program rather than data."""
    name = path.rpartition(b"/")[2].lower()
    stem, dot, suffix = name.rpartition(b".")
    if (dot and suffix in _PROGRAM_SUFFIXES) or name in _PROGRAM_NAMES or b".so." in name:
        return bool(stem) or not dot
    return any(folder in path for folder in _PROGRAM_FOLDERS)
