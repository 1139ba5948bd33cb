"""Bundles that ReproZip's unpackers can open, made from rtrace's own."""
