"""`python -m stream`: the same as the command `stream`."""

import sys

from stream.cli import main

if __name__ == "__main__":
    sys.exit(main())
