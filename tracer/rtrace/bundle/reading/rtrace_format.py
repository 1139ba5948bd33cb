"""The format of rtrace's own bundles."""

from __future__ import annotations

from rtrace.bundle.protocol import Format
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.bundle.reading.container import is_bundle

RTRACE = Format("rtrace", is_bundle, Bundle)
