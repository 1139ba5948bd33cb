"""A manifest, as data, in which every key occurs."""

from dataclasses import replace

from bundle_samples import RUN
from rtrace.manifest.model import (
    Claim,
    Comparison,
    Completion,
    Descriptor,
    Elsewhere,
    Folder,
    Input,
    Manifest,
    NamedFile,
    Notice,
    Output,
    Package,
    Secret,
    SecretPack,
)

LARGE = tuple((b"V%d" % number, b"") for number in range(4))
WHOLE = Manifest(
    "0.1.0",
    (
        replace(
            RUN,
            signal=9,
            stdin=Input(b"/data/in", 7, pipe=True),
            stdout=Output("terminal", 5, "a" * 64, (24, 80), cut=True),
            stderr=Output("file", joined=True, compare=Comparison(ignore=("x",))),
            descriptors=(Descriptor(3, "file", b"/data/log", 5, "write append"), Descriptor(4, "same", same=1)),
        ),
        replace(RUN, id="run2"),  # whose environment is written as that of run1
        replace(RUN, id="run3", environ=LARGE),
        replace(RUN, id="run4", environ=(*LARGE, (b"RANK", b"4"))),  # as that of run3, and one more
    ),
    inputs=(NamedFile("in", b"/data/in", ("run1",)),),
    outputs=(
        NamedFile(
            "out", b"/data/out-1", ("run1",), b"/data/out-*", Comparison(1e-6, 0.5, ("^Date:", "/a\\d"), unordered=True)
        ),
    ),
    packages=(Package("libc6", "2.36", "amd64", "dpkg", 3, 5, pack=False, origin="source glibc 2.36"),),
    completion=(Completion("python", "numpy 2.0", 3, 5, pack=False),),
    exclude=(b"**/*.tmp",),
    include=(b"/\xff/more",),
    claims=(Claim("It is faster.", "run1", ("out", "stdout"), 1e-6),),
    secrets=(Secret("variable TOKEN", "secret-variable", "a variable", SecretPack.REDACTED),),
    elsewhere=(Elsewhere(b"/data/big", 5, "c" * 64, "https://example.org/big"),),
    notices=(Notice("network", "it spoke", "let it not"),),
    unowned=(Folder(b"/opt/tool", 2, 7),),
    digests={"DATA.tar.zst": "b" * 64},
)
