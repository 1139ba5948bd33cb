"""All fields of a record as text for a page: facts and tables, long ones folded."""
