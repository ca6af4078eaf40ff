"""The arithmetic of a version as an ONNX graph: from encoded events and pairs to the published scores.

What names do (which row a value has, which offers could be taken) stays outside, and so do the running counts and the
cells of a pair, which move with every event; they come in. Inputs:

- `numeric` float64 `(B, numeric features)`, NaN if missing;
- `row`, `row_event`, `row_slot` int64 and `row_weight` float32 `(R,)`: the active categorical rows;
- `pair_event`, `pair_offer` int64 `(P,)`: which event, and which offer slot;
- `counts` float32 `(P, width)`: the running counts as the network reads them;
- `cells` float32 `(P,)`: the sum of the pair's cells and flags;
- `running` float64 `(2,)`: the rate of all pairs, and the recent one; `shares` float64 `(7,)`: the experts'
  weights. Both have the values of the export as defaults.

Outputs by pair: `score` (log-odds) and `probability` float64, and the network's `logit` float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stream.errors import ConfigurationError
from stream.scoring.loops import BASE_INPUTS, LEAST, VALUE_INPUTS
from stream.scoring.scorer import Scorer

__all__ = ["OPSET", "graph_of"]

OPSET = 18
_LARGEST_BYTES = 2_000_000_000
"""A file of protobuf holds 2 GiB."""


class _Graph:
    """Nodes and initializers while they are collected; every method returns the name of what it adds."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.size_bytes = 0

    def constant(self, name: str, value: np.ndarray) -> str:
        value = np.array(value, order="C")
        self.size_bytes += value.nbytes
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def number(self, value: Any, kind: Any) -> str:
        return self.constant(f"c{len(self.initializers)}", np.array(value, dtype=kind))

    def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def linear(self, before: str, weight: str, bias: str | None = None) -> str:
        product = self("MatMul", before, weight)
        return product if bias is None else self("Add", product, bias)


def graph_of(scorer: Scorer) -> onnx.ModelProto:
    """Return the model; raises ConfigurationError if it is too large for one file."""
    g = _Graph()
    z = _input_layer(g, scorer)
    alone, shown = _output(g, scorer, z)
    logit = _mixer(g, scorer, alone)
    probability = _mixture(g, scorer, alone, logit)
    if shown is not None:  # offers that a strategy ignores keep the prior
        prior = scorer.prior
        probability = g("Where", shown, g.number(prior, np.float64), probability)
        logit = g("Where", shown, g.number(np.log(prior / (1.0 - prior)), np.float32), logit)
    odds = g("Sub", g("Log", probability), g("Log", g("Sub", g.number(1.0, np.float64), probability)))
    for name, found in (("score", odds), ("probability", probability), ("logit", logit)):
        g.nodes.append(helper.make_node("Identity", [found], [name]))
    if g.size_bytes > _LARGEST_BYTES:
        raise ConfigurationError(
            f"the model has {g.size_bytes:,} bytes of weights, and one ONNX file holds {_LARGEST_BYTES:,}; answer with "
            "`stream serve`, or lower the bounds of the network"
        )
    return _model(g, scorer)


def _model(g: _Graph, scorer: Scorer) -> onnx.ModelProto:
    def value(name: str, kind: int, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    whole, single, double = TensorProto.INT64, TensorProto.FLOAT, TensorProto.DOUBLE
    inputs = [
        value("numeric", double, "B", len(scorer.names.numeric)),
        value("row", whole, "R"),
        value("row_event", whole, "R"),
        value("row_slot", whole, "R"),
        value("row_weight", single, "R"),
        value("pair_event", whole, "P"),
        value("pair_offer", whole, "P"),
        value("counts", single, "P", BASE_INPUTS + scorer.columns.shape[1] * VALUE_INPUTS),
        value("cells", single, "P"),
        value("running", double, 2),
        value("shares", double, len(scorer.shares)),
    ]
    outputs = [value("score", double, "P"), value("probability", double, "P"), value("logit", single, "P")]
    graph = helper.make_graph(g.nodes, "stream", inputs, outputs, g.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="stream")
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def _input_layer(g: _Graph, scorer: Scorer) -> str:
    """Add the input layer's sums `z` `(B, width)`."""
    a = scorer.arrays
    slots = np.array(list(scorer.names.numeric.values()), dtype=np.int64)
    events = g("Gather", g("Shape", "numeric"), g.number(0, np.int64))
    projection = a["input/projection"]
    categorical, dim, width = projection.shape
    rows = merged_rows(scorer)
    table = g.constant("rows", rows)
    active = g("Mul", g("Gather", table, "row"), g("Unsqueeze", "row_weight", g.number([1], np.int64)))
    place = g("Add", g("Mul", "row_event", g.number(categorical, np.int64)), "row_slot")
    size = g("Mul", events, g.number(categorical, np.int64))
    one = g.number([0], np.int64)
    shape = g("Concat", g("Unsqueeze", size, one), g.number([dim], np.int64), axis=0)
    empty = g("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, dtype=np.float32)))
    where = g("Unsqueeze", place, g.number([1], np.int64))
    pooled = g("ScatterND", empty, where, active, reduction="add")
    flat_shape = g("Concat", g("Unsqueeze", events, one), g.number([categorical * dim], np.int64), axis=0)
    flat = g("Reshape", pooled, flat_shape)
    z = g.linear(
        flat, g.constant("projection", projection.reshape(-1, width)), g.constant("input_bias", a["input/bias"][0])
    )
    if not len(slots):
        return z
    scores, missing = _standardised(g, scorer, slots)
    z = g("Add", z, g.linear(scores, g.constant("numeric_weights", a["input/numeric"][slots])))
    return g("Add", z, g.linear(missing, g.constant("missing_weights", a["input/missing"][slots])))


def merged_rows(scorer: Scorer) -> np.ndarray:
    """Return the categorical rows `(rows, dim)` as the projections read them: MLET's products are made here."""
    rows, factor = scorer.arrays["input/rows"], scorer.arrays.get("input/factor")
    if factor is None:
        return rows
    owners = scorer.arrays["vocabulary/feature"].copy()
    for slot, missing, rare, _ in scorer.manifest["vocabularies"]:
        owners[[missing, rare]] = slot
    return np.asarray(np.einsum("rk,rkd->rd", rows, factor[owners[: len(rows)]]), dtype=np.float32)


def _standardised(g: _Graph, scorer: Scorer, slots: np.ndarray) -> tuple[str, str]:
    """Add the normal scores of numeric inputs and the mask of missing ones `(B, n)`, float32."""
    a = scorer.arrays
    points, scores = a["statistics/points"][slots], a["statistics/scores"][slots]
    number, size = points.shape
    absent = g("IsNaN", "numeric")
    found = g("Where", absent, g.number(0.0, np.float64), "numeric")
    column = g("Unsqueeze", found, g.number([2], np.int64))
    table = g.constant("points", points[None])
    last = g.number(size - 1, np.int64)
    nothing, one = g.number(0, np.int64), g.number(1, np.int64)

    def counted(mask: str) -> str:
        return g("ReduceSum", g("Cast", mask, to=TensorProto.INT64), g.number([2], np.int64), keepdims=0)

    below, upto = counted(g("Less", table, column)), counted(g("LessOrEqual", table, column))
    low = g("Where", g("Greater", upto, below), below, g("Max", g("Sub", below, one), nothing))
    high = g("Min", upto, last)
    base = g.constant("digests", (np.arange(number) * size)[None])
    flat_points, flat_scores = g.constant("all_points", points.ravel()), g.constant("all_scores", scores.ravel())

    def at(flat: str, place: str) -> str:
        return g("Gather", flat, g("Add", base, place))

    half = g.number(0.5, np.float64)
    first = g("Mul", half, at(flat_points, low))
    span = g("Sub", g("Mul", half, at(flat_points, high)), first)
    some = g("Greater", span, g.number(0.0, np.float64))
    way = g("Sub", g("Mul", half, found), first)
    share = g(
        "Where", some, g("Div", way, g("Where", some, span, g.number(1.0, np.float64))), g.number(0.0, np.float64)
    )
    rest = g("Sub", g.number(1.0, np.float64), share)
    score = g("Add", g("Mul", rest, at(flat_scores, low)), g("Mul", share, at(flat_scores, high)))
    silent = g("Or", absent, g.constant("unknown", ~a["statistics/known"][slots][None]))
    score = g("Where", silent, g.number(0.0, np.float64), score)
    return g("Cast", score, to=TensorProto.FLOAT), g("Cast", absent, to=TensorProto.FLOAT)


def _output(g: _Graph, scorer: Scorer, z: str) -> tuple[str, str | None]:
    """Add the output layer's score by pair `(P,)`, and which pairs are of offers that are ignored, if any is."""
    a = scorer.arrays
    tasks = [0]
    if scorer.trunk.by_task:
        tasks = np.unique(scorer.task_of_offer[scorer.names.slots]).tolist() or [0]
    weight, bias = a["output/offer"], a["output/offer_bias"]
    columns = scorer.columns
    values = np.concatenate([a["output/value"], np.zeros((1, weight.shape[1]), dtype=np.float32)])
    value_bias = np.append(a["output/value_bias"], np.float32(0.0))
    # What an offer's own weights and those of its attribute values add up to: one product a pair.
    padded = np.where(columns < 0, len(values) - 1, columns)
    rows = g.constant("offers", weight[: len(columns)] + values[padded].sum(1))
    biases = g.constant("offer_biases", bias[: len(columns)] + value_bias[padded].sum(1))
    own, shift = g("Gather", rows, "pair_offer"), g("Gather", biases, "pair_offer")
    total: str | None = None
    for task in tasks:
        hidden = g("Gather", _trunk(g, scorer, z, task), "pair_event")
        product = g("ReduceSum", g("Mul", hidden, own), g.number([1], np.int64), keepdims=0)
        if len(tasks) > 1:
            mask = g.constant(f"of_task_{task}", (scorer.task_of_offer == task).astype(np.float32))
            product = g("Mul", product, g("Gather", mask, "pair_offer"))
        total = product if total is None else g("Add", total, product)
    assert total is not None
    muted = a["offers/muted"]
    shown = g("Gather", g.constant("muted", muted), "pair_offer") if muted.any() else None
    return g("Add", total, shift), shown


def _trunk(g: _Graph, scorer: Scorer, z: str, task: int) -> str:
    a, told = scorer.arrays, scorer.manifest["trunk"]
    patches = told.get("patches") or {"layers": [], "serial": False}
    patched = {int(layer) for layer in patches["layers"]}

    def part(name: str, row: int) -> str:
        return g.constant(f"{name}_{task}_{len(g.initializers)}", a[name][row])

    def bent(layer: int, total: str, inputs: str) -> str:
        if layer in patched:
            names = [f"trunk/patch/{layer}/{name}" for name in ("down", "down_bias", "up", "up_bias")]
            down, down_bias, up, up_bias = (part(name, task) for name in names)
            total = g("Add", total, g.linear(_gelu(g, g.linear(inputs, down, down_bias)), up, up_bias))
        return g("Relu", total)

    hidden = bent(0, z, z)
    width = a["input/bias"].shape[1]
    for layer in range(1, told["layers"] + 1):
        weight, bias = a[f"trunk/{layer - 1}/weight"][0], a[f"trunk/{layer - 1}/bias"][0]
        total = g.linear(hidden, part(f"trunk/{layer - 1}/weight", 0), part(f"trunk/{layer - 1}/bias", 0))
        found = bent(layer, total, total if patches["serial"] else hidden)
        hidden = g("Add", hidden, found) if weight.shape == (width, len(bias)) and width == len(bias) else found
        width = len(bias)
    return _through_kernels(g, scorer, hidden)


def _gelu(g: _Graph, v: str) -> str:
    def number(value: float) -> str:
        return g.number(value, np.float32)

    cube = g("Mul", g("Mul", v, v), v)
    inner = g("Mul", number((2.0 / np.pi) ** 0.5), g("Add", v, g("Mul", number(0.044715), cube)))
    return g("Mul", g("Mul", number(0.5), v), g("Add", number(1.0), g("Tanh", inner)))


def _through_kernels(g: _Graph, scorer: Scorer, hidden: str) -> str:
    kernels, a = scorer.manifest["trunk"].get("kernels"), scorer.arrays
    if kernels is None:
        return hidden
    if kernels["slot_of_row"]:
        raise ConfigurationError(
            "a kernel for each domain (iak.domain_feature) is not exported: which kernel an event passes is decided by "
            "its rows; answer with `stream serve`"
        )
    slot = kernels["common"]
    mix, decodes = kernels["states"][str(slot)] if slot is not None else (0.0, False)
    if mix == 0.0:
        return hidden

    def linear(name: str, before: str) -> str:
        weight, bias = a[f"trunk/kernel/{name}"][slot], a[f"trunk/kernel/{name}_bias"][slot]
        return g.linear(before, g.constant(f"kernel_{name}", weight), g.constant(f"kernel_{name}_bias", bias))

    inside = g("Relu", linear("encoder_in", hidden))
    both = a["trunk/kernel/encoder_out_bias"].shape[1]
    half = g.number([both // 2], np.int64)
    middle = g("Slice", linear("encoder_out", inside), g.number([0], np.int64), half, g.number([1], np.int64))
    known = linear("projection", middle)
    if decodes:
        known = g("Add", known, linear("decoder_out", g("Relu", linear("decoder_in", middle))))
    if mix == 1.0:
        return known
    kept = g("Mul", g.number(1.0 - mix, np.float32), hidden)
    return g("Add", kept, g("Mul", g.number(mix, np.float32), known))


def _mixer(g: _Graph, scorer: Scorer, alone: str) -> str:
    """Add the network's logit `(P,)`: the output layer's score, the cells, and the small network over the counts."""
    weights, bias, out, linear = scorer.mixer
    tasks, units = out.shape
    width = len(linear) // tasks
    task = g("Gather", g.constant("task_of_offer", scorer.task_of_offer), "pair_offer")
    if tasks == 1:
        hidden = g.linear("counts", g.constant("mixer_in", weights), g.constant("mixer_bias", bias[0]))
        mixed = g.linear(g("Relu", hidden), g.constant("mixer_out", out[0]))
        skip = g.linear("counts", g.constant("mixer_linear", linear))
    else:
        by_task = g.constant("mixer_in", weights.reshape(tasks, width, units))
        row = g("Unsqueeze", "counts", g.number([1], np.int64))
        inner = g("MatMul", row, g("Gather", by_task, task))
        hidden = g(
            "Add", g("Squeeze", inner, g.number([1], np.int64)), g("Gather", g.constant("mixer_bias", bias), task)
        )
        axis = g.number([1], np.int64)
        product = g("Mul", g("Relu", hidden), g("Gather", g.constant("mixer_out", out), task))
        mixed = g("ReduceSum", product, axis, keepdims=0)
        skips = g("Gather", g.constant("mixer_linear", linear.reshape(tasks, width)), task)
        skip = g("ReduceSum", g("Mul", "counts", skips), axis, keepdims=0)
    return g("Add", g("Add", alone, "cells"), g("Add", mixed, skip))


def _mixture(g: _Graph, scorer: Scorer, alone: str, logit: str) -> str:
    """Add the published probability float64 `(P,)`: the experts', by their weights."""
    double = TensorProto.DOUBLE

    def number(value: float) -> str:
        return g.number(value, np.float64)

    def count(place: int) -> str:
        return g("Cast", g("Gather", "counts", g.number(place, np.int64), axis=1), to=double)

    g.constant("running", np.array(scorer.running))
    g.constant("shares", scorer.shares)
    rate, recent = (g("Gather", "running", g.number(place, np.int64)) for place in (0, 1))
    offer = count(0)
    habits = count(4)
    for attribute in range(scorer.columns.shape[1]):
        habits = g("Add", habits, count(BASE_INPUTS + attribute * VALUE_INPUTS))
    key = g("Add", g("Mul", number(0.7), count(2)), g("Mul", number(0.5), habits))
    offer_rate = g("Exp", offer)
    sure = g("Exp", g("Min", offer, number(-1e-6)))
    odds = g("Sub", offer, g("Log", g("Sub", number(1.0), sure)))
    lone = g("Sigmoid", g("Add", odds, g("Cast", alone, to=double)))
    experts = [
        rate,
        recent,
        offer_rate,
        g("Div", g("Mul", g("Exp", g("Add", offer, count(1))), recent), rate),
        g("Exp", g("Add", offer, key)),
        lone,
        g("Sigmoid", g("Cast", logit, to=double)),
    ]
    total: str | None = None
    for place, expert in enumerate(experts):
        bounded = g("Min", g("Max", expert, number(LEAST)), number(1.0 - LEAST))
        part = g("Mul", g("Gather", "shares", g.number(place, np.int64)), bounded)
        total = part if total is None else g("Add", total, part)
    assert total is not None
    return total
