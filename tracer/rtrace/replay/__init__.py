"""Replays: what an unpacker and a target are, and which of them are installed here."""
