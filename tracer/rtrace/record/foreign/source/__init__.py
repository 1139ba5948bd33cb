"""What every importer needs: files, databases, pickles and literals read as data, and facts for a record."""
