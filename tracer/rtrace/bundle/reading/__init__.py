"""Opening a bundle: nothing in it is believed before it has been checked."""
