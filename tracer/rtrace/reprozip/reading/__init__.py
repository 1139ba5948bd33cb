"""ReproZip's bundles, versions 1 and 2, read as the values of rtrace's own."""
