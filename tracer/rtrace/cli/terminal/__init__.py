"""How rtrace speaks to a person: options, sentences, progress, endings."""
