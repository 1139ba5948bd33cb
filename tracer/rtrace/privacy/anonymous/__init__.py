"""Anonymous bundles: neutral names in place of the user's and the host's."""
