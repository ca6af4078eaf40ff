"""Write the documentation's page of metrics to standard output."""

import sys

from stream.metrics.catalogue import markdown_page

sys.stdout.write(markdown_page())
