"""The schema: which features and labels (offers) are live, and the versions that change it."""

from stream.schema.change import Change, Op
from stream.schema.diff import describe, describe_aliases, diff
from stream.schema.kinds import Kind
from stream.schema.living import Alias
from stream.schema.schema import Schema
from stream.schema.version import Version, parse_version, version_to_json

__all__ = [
    "Alias",
    "Change",
    "Kind",
    "Op",
    "Schema",
    "Version",
    "describe",
    "describe_aliases",
    "diff",
    "parse_version",
    "version_to_json",
]
