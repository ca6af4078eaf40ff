"""Metrics and health over HTTP, from what the service reports to its observers.

`stream.metrics.serve` puts the parts together. The package's own name imports none of them: whoever reads its settings
needs no prometheus-client.
"""
