"""From a trace and its manifest to a bundle.

`planning` makes a `plan`, a value, by the steps in `choosing`, which looks at the trace, the manifest and this machine,
and in `hiding`, which keeps secrets and names out of it. `packing` carries it out: `file_writing` writes the files and
notes each `shortfall`, `restoring` gets changed files from the archives of their packages, `results` hashes what the
runs wrote. `forecast` says of a plan what would be missing.
"""
