"""How speed and memory grow: with time if no name ever repeats, and with each size of a stream."""
