"""Write the README's table of metrics to standard output."""

import sys

from stream.metrics.catalogue import markdown_table

sys.stdout.write(markdown_table() + "\n")
