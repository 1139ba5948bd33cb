"""What goes into a paper: figures with their stamps, and what LaTeX checks them by."""
