"""From the YAML of a manifest to its values, each mistake with its line, column and a sentence."""
