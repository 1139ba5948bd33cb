"""How rtrace speaks to a person: sentences, tables, colour, progress, crashes."""
