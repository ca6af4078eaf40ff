"""Answering over HTTP from published model versions: `stream serve` (the extra `[serve]`)."""
