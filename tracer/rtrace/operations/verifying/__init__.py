"""What a verification is told with, besides its lines: whose run it was, on which machine, and how to repeat it."""
