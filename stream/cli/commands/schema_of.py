"""Print the JSON Schema of a form that other programs read or write: interaction, version, dead-letter or summary.

Example: stream schema-of interaction > interaction.schema.json

The schemas are of draft 2020-12. What they cannot say stands in docs/contract.md; `stream check` knows all of it.
"""

from __future__ import annotations

import argparse

from stream.cli.arguments import Subparsers, new_parser
from stream.forms import FORMS, form_text


def add_parser(subparsers: Subparsers) -> None:
    """Declare `stream schema-of`."""
    new_parser(subparsers, __name__).add_argument("form", choices=FORMS, help="which one")


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    print(form_text(args.form), end="")
    return 0
