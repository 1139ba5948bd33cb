"""`rtrace replay --sweep`: what a person sees of a sweep. It uses the options and the terminal."""
