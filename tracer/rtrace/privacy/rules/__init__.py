"""What secrets look like. Their values are never shown."""
