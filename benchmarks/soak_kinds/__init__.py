"""A site on which something breaks all the time, and a close look at the engine that mends it."""
