"""What works on this machine, tried rather than guessed: a file for each kind of thing. Nothing that is made stays."""
