"""PeterRec (arXiv 2001.04253): small patches in a frozen trunk, and a set of them for each task."""
