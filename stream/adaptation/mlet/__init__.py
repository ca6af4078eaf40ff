"""MLET (arXiv 2309.15881): categorical tables trained as products of two factors."""
