"""What commands leave in the history: the record of a traced run, of its ranks, of a verdict, of a bundle."""
