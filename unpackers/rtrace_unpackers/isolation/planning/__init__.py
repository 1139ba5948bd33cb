"""What a replay does, as values: its set-up, its last calls, and the program that makes these.

Uses `kernel` and `users`.
"""
