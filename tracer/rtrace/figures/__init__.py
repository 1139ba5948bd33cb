"""Figures that say which run made them: stamps in their metadata, and what LaTeX needs to check them."""
