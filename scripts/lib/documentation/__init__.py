"""Parts of the documentation that are made from the code: the commands and the manifest's keys. Returns Markdown."""
