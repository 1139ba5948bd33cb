"""Package managers of languages and clusters. One file for each."""
