"""A schema version's changes, made one after the other on the network and on the measures that stand beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stream.adaptation.method import ChangeMade
from stream.adaptation.transfer.method import Transfer
from stream.schema import Change, Op, Schema

if TYPE_CHECKING:
    from stream.evaluation import Evaluation
    from stream.network.network import Network

__all__ = ["make_changes", "take_up", "what_changed"]

_ON_INPUT = frozenset({Op.ADD_FEATURE, Op.REMOVE_FEATURE, Op.RETYPE_FEATURE})
_ON_FEATURES = _ON_INPUT | {Op.RENAME_FEATURE}
_ON_OUTPUT = frozenset({Op.ADD_LABEL, Op.REMOVE_LABEL})


def make_changes(
    changes: Sequence[Change], network: Network, evaluation: Evaluation, transfer: Transfer, *, creating: bool
) -> None:
    """Make the changes of a version that was checked, in their order, in the way of `transfer`.

    `creating` says that it is the first version: it finds nothing that could be kept or ignored.
    """
    for change in changes:
        if creating or not (transfer.ignores_new and _ignore(change, network, evaluation, transfer)):
            _make(change, network, evaluation, transfer, silent=transfer.silent and not creating)


def what_changed(changes: Sequence[Change], *, creating: bool, warming_up: tuple[bool, bool]) -> ChangeMade:
    """Return what a version's changes did, as the methods of a strategy need to know it (see ChangeMade)."""
    ops = {change.op for change in changes}
    return ChangeMade(
        inputs=bool(ops & _ON_INPUT),
        outputs=bool(ops & _ON_OUTPUT),
        creating=creating,
        leaves_new=_leaves_new_names(changes),
        warming_up=warming_up,
        changes=changes,
    )


def take_up(schema: Schema, network: Network) -> bool:
    """Let a network take part in all of the schema after a strategy that ignored what was new; say whether it did not.

    A feature that was ignored joins without changing any prediction. An offer that was ignored is predicted and trained
    from now on: its rate was counted all along.
    """
    ignored = {
        name: kind for name, kind in schema.features.items() if network.layout.features.kinds.get(name) is not kind
    }
    for name, kind in ignored.items():
        network.names.add_feature(name, kind, silent=True)
    muted = bool(network.layout.muted.any())
    network.layout.muted.fill_(False)
    return bool(ignored) or muted


def _leaves_new_names(changes: Sequence[Change]) -> bool:
    """Say whether a feature or label is new once all changes were made: what was added and removed again is not."""
    new: set[tuple[bool, str]] = set()
    for change in changes:
        name = (change.op in _ON_FEATURES, change.name)
        if change.op in (Op.ADD_FEATURE, Op.RETYPE_FEATURE, Op.ADD_LABEL):
            new.add(name)
        elif change.op in (Op.REMOVE_FEATURE, Op.REMOVE_LABEL):
            new.discard(name)
        elif name in new and change.to is not None:
            new.discard(name)
            new.add((name[0], change.to))
    return bool(new)


def _ignore(change: Change, network: Network, evaluation: Evaluation, transfer: Transfer) -> bool:
    """Leave a change out if it adds a feature, or is about one that was left out; mute an added offer."""
    if change.op is Op.ADD_LABEL:
        _make(change, network, evaluation, transfer, silent=True)
        network.names.mute(change.name)
    elif change.op is Op.RETYPE_FEATURE and change.name in network.layout.features.kinds:
        network.names.remove_feature(change.name, fold=True)
    elif change.op not in _ON_FEATURES or (
        change.op is not Op.ADD_FEATURE and change.name in network.layout.features.kinds
    ):
        return False
    return True


def _make(change: Change, network: Network, evaluation: Evaluation, transfer: Transfer, *, silent: bool) -> None:
    match change:
        case Change(op=Op.ADD_FEATURE, kind=kind) if kind is not None:
            network.names.add_feature(change.name, kind, silent=silent)
        case Change(op=Op.REMOVE_FEATURE):
            network.names.remove_feature(change.name, fold=transfer.silent)
        case Change(op=Op.RETYPE_FEATURE, kind=kind) if kind is not None:
            network.names.remove_feature(change.name, fold=transfer.silent)
            network.names.add_feature(change.name, kind, silent=silent)
        case Change(op=Op.RENAME_FEATURE, to=str() as to):
            network.names.rename_feature(change.name, to)
        case Change(op=Op.ADD_LABEL):
            attributes = change.attributes or {}
            evaluation.add_offer(network.names.add_offer(change.name, attributes), change.name, attributes)
        case Change(op=Op.REMOVE_LABEL):
            evaluation.remove_offer(network.names.remove_offer(change.name))
        case Change(op=Op.RENAME_LABEL, to=str() as to):
            evaluation.rename_offer(network.names.rename_offer(change.name, to), to)
        case Change(op=Op.UPDATE_LABEL, attributes=attributes) if attributes is not None:
            evaluation.update_offer(network.names.update_offer(change.name, attributes), attributes)
        case _:  # pragma: no cover - parse_version lets none through
            raise ValueError(f"change {change} lacks what its operation needs")
