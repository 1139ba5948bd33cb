"""Readers of the files in which projects declare what they need: one module for what is written alike."""
