"""Why an output differs from run to run: what replays left, compared; nothing here replays anything."""
