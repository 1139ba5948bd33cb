"""Files of numbers and rows: arrays, tables of columns, databases, and objects of Python, which are never loaded."""
