"""A state as a tree of JSON values and arrays, its bytes, and a digest that is the same whatever slot a name has."""

from stream.state.tree import Tree, decode, encode, misfit, pieces

__all__ = ["Tree", "decode", "encode", "misfit", "pieces"]
