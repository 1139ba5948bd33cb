"""Where a catalogue lies: SQLite for a person, PostgreSQL for a lab."""
