"""NIfTI, the files of brain imaging, read by NiBabel."""

from __future__ import annotations

import io
from typing import BinaryIO

from rtrace.verify.kinds.data.values import compare_values
from rtrace.verify.kinds.model import Findings, Judgement, Rule, shorten_text
from rtrace.verify.plugins.reading import reading

_FIRST, _SECOND = b"n+1\0", b"n+2\0\r\n\x1a\n"
_LAYOUT = {"vox_offset", "sizeof_hdr", "magic"}
"""Fields of a header that tell where in the file something is."""


class Nifti:
    """Compares header, extensions and voxels; the order of bytes does not count."""

    name = "NIfTI"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content is an image with its header in one file."""
        return head[344:348] == _FIRST or head[4:12] == _SECOND

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the images. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        with reading(self.name, "nibabel"):
            import nibabel
            import numpy as np

            images = []
            for file in (expected, found):
                content = file.read()
                kind = nibabel.Nifti2Image if content[4:12] == _SECOND else nibabel.Nifti1Image
                images.append(kind.from_stream(io.BytesIO(content)))
            headers = [image.header.structarr for image in images]
            if headers[0].dtype.names != headers[1].dtype.names:
                findings.differ("header", *(f"{len(header.dtype.names)} fields" for header in headers))
                return findings.conclude()
            for field in headers[0].dtype.names:
                if field not in _LAYOUT and not findings.leaves_out(field):
                    compare_values(f"header, {field}", headers[0][field], headers[1][field], findings)
            extensions = [
                [(one.get_code(), bytes(one.get_content())) for one in image.header.extensions] for image in images
            ]
            if extensions[0] != extensions[1]:
                findings.differ("extensions", *(shorten_text(str(one)) for one in extensions))
            voxels = [np.asanyarray(image.dataobj) for image in images]
            compare_values("voxel ", voxels[0], voxels[1], findings)
        if findings.likeness in {"equal", "close"}:
            findings.ignore("order of bytes, or layout of the file")
        return findings.conclude()


NIFTI = Nifti()
