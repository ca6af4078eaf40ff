"""Print the README's table of metrics."""

from stream.metrics.catalogue import markdown_table

print(markdown_table())
