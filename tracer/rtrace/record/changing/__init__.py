"""How records become others: by what a person adds, by what another history knows, by the ranks of one program."""
