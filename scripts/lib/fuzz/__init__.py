"""Fuzz what reads bundles and manifests. FORMAT.md promises that whatever they hold, it is refused in one sentence."""
