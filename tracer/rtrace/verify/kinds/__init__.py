"""What two files say, by what they are: whether that is the same although their bytes differ, and where it is not."""
