"""Exports: a bundle written as a file of another kind. What an exporter is, and which of them are installed here."""
