"""Ways to adapt, compared on a stream of the user's own: which strategy to use, by how much, at what cost."""
