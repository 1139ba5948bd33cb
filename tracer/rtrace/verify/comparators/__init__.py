"""How two contents are said to differ. Each comparator is a file; ``registry`` lists them."""
