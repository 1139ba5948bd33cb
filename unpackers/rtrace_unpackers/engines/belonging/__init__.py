"""Which images and containers are a target's, who uses them, and what belongs to nobody any more. Uses `image`."""
