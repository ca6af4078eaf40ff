"""Write the documentation's page of settings to standard output."""

import sys

from stream.settings.markdown import markdown_page
from stream.settings.root import Settings

sys.stdout.write(markdown_page(Settings))
