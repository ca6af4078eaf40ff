"""The Open Bandit sample as streams: impressions of one offer at a time, of which 0.3 to 0.7 in a hundred are clicked.

ZOZO, Inc. showed fashion items on a page of an online shop for seven days, chosen by a policy (`bts`, a Thompson
sampler, or `random`) in three campaigns (Yuta Saito, Shunsuke Aihara, Megumi Matsutani and Yusuke Narita, "Open
Bandit Dataset and Pipeline", NeurIPS Datasets and Benchmarks 2021). The sample, 10,000 impressions of each of the six
parts, is not part of this project: it is taken, at run time, from the wheel of the PyPI package `obp`.

An event is an impression; its one possible offer is the item, its label the click. Nobody is known by name: the key is
the four user features together. With `propensity`, the weight is one over the chance that the policy gave the item.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from stream.data.wheel import DataWheel

__all__ = ["PARTS", "stream"]

PARTS: Final = tuple(f"{policy}/{campaign}" for policy in ("bts", "random") for campaign in ("all", "men", "women"))
_FILES = {
    "bts/all/all.csv": "0ad874e4dbf6902f0845dd478ad8dde5ef6903583d3ffaace78411bdad064106",
    "bts/all/item_context.csv": "5d4359ba1cfa3ae88f0f1bae66bd633859fe6323817183632ee57b83539d9153",
    "bts/men/men.csv": "db6d1f7ed2d591ba521533e45286d4c1fba7fe57a8ad2e80342210335f43c527",
    "bts/men/item_context.csv": "3b411ed6b0471316321a6b93f4f756bb25888eac6218cd71d0b603d41d85732d",
    "bts/women/women.csv": "e5d1b49a39b608585a2f3014a3f54970430cd37a495c1b73fceb85cdf428a5b8",
    "bts/women/item_context.csv": "a56295bad066a558eb783055afd9279f5f4e209a4776eafc22151c53f0ac89d4",
    "random/all/all.csv": "7168295b6e0a9eabcf3392320a5dd434e542b68e705d5cd9491499af589812f1",
    "random/all/item_context.csv": "eba04cc23d5f130a93ff174c5392986882b94c3839433cb8143870eaa6221358",
    "random/men/men.csv": "ede6d08c6877f99cd3770f7d09e26c738e6aa6de4445ccccfb1356ba5d06b1eb",
    "random/men/item_context.csv": "6d855c2b7e917d0448d71bbe62c023147495882c0fdc8c41e86fef86abf9fe09",
    "random/women/women.csv": "e65f3bd3beb17664fa69cc129bf7bf852a775f8ffa630506e505fc905315bb34",
    "random/women/item_context.csv": "b1ca4905f97703d196004f2ad4552c1e90c2afad8b50688d333b0d2dc0b33147",
}
_WHEEL = DataWheel("open bandit", "obp==0.4.1", "obp/dataset/obd/", _FILES, "open-bandit-sample")
_USER: Final = tuple(f"user_feature_{place}" for place in range(4))


def stream(part: str, *, propensity: bool = False, events: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield version 1 and the events of a part, as JSON objects of the contract, in order of time.

    Raises:
        ConfigurationError: the data cannot be had here, and why, in one sentence.
    """
    files = _WHEEL.fetch()
    items = _rows(files[f"{part}/item_context.csv"])
    kinds = [{"op": "add_feature", "name": name, "kind": "categorical"} for name in ("position", *_USER)]
    offers = [
        {
            "op": "add_label",
            "name": f"item {item['item_id']}",
            "attributes": {"kind": item["item_feature_1"][:8], "place": item["item_feature_2"][:8]},
        }
        for item in items
    ]
    yield {"version": 1, "ts": 0, "changes": [*kinds, *offers]}
    shown = sorted(_rows(files[f"{part}/{part.partition('/')[2]}.csv"]), key=lambda row: row["timestamp"])
    for number, row in enumerate(shown[:events]):
        offer = f"item {row['item_id']}"
        yield {
            "id": f"{part}/{number}",
            "key": "/".join(row[name][:4] for name in _USER),
            "ts": int(1000 * datetime.fromisoformat(row["timestamp"]).timestamp()),
            "features": {"position": row["position"], **{name: row[name][:8] for name in _USER}},
            "labels": [offer] if row["click"] == "1" else [],
            "shown": [offer],
            "weight": 1.0 / float(row["propensity_score"]) if propensity else 1.0,
        }


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))
