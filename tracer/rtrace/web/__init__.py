"""The pages of a catalogue, for a browser on this machine. Beside `cli`: it answers, it does not print."""
