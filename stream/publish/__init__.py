"""Model versions in a directory: full ones now and then, deltas between, and one pointer."""
