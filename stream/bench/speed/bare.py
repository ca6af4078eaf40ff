"""The cost of the mathematics alone: a plain network of the same widths on random, already encoded input.

It stays as it was when the first speed was measured with it, so that ratios to it compare over time.
"""

from __future__ import annotations

import time

import torch

from stream.bench.speed.workload import Workload
from stream.schema import parse_version

__all__ = ["bare_step"]


def bare_step(workload: Workload, events: int) -> float:
    """Return the CPU seconds that so many events take."""
    schema = [parse_version(line) for line in workload.schema.read_bytes().splitlines()]
    first = schema[0].changes
    numeric = max(1, sum(change.kind == "numeric" for change in first))
    categorical = max(1, sum(change.kind not in (None, "numeric") for change in first))
    labels = max(1, sum(change.op == "add_label" for change in first))
    batch, width = workload.settings.batch_size, workload.settings.network.hidden[0]
    dense = torch.nn.Linear(numeric, width)
    table = torch.nn.EmbeddingBag(10_000, width, mode="sum", sparse=True)
    output = torch.nn.Linear(width, labels)
    optimisers = [
        torch.optim.SGD([*dense.parameters(), *output.parameters()], lr=0.01),
        torch.optim.SGD(table.parameters(), lr=0.01),
    ]
    x, rows = torch.randn(batch, numeric), torch.randint(10_000, (batch, categorical))
    y = (torch.rand(batch, labels) < 0.04).float()
    steps = max(1, events // batch)
    started = time.process_time()
    for _ in range(steps):
        hidden = torch.relu(dense(x) + table(rows))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(output(hidden), y)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
    return (time.process_time() - started) * events / (steps * batch)
