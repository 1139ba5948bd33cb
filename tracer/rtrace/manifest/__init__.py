"""The manifest: the YAML that a person edits before packing, and that travels in the bundle."""
