"""A manifest that is drafted or combined again, with what a person edited in it kept."""
