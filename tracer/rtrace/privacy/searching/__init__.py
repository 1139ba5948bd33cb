"""Where secrets are: in bytes, in text of any encoding, and in files packed in files."""
