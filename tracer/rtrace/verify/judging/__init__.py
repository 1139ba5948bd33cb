"""Two contents compared as what they are: which kind is asked, and in a process of its own, for they may be hostile."""
