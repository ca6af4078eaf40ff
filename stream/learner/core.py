"""The learner: predict, score, then train, batch after batch, through every change of its schema.

Pure: it knows neither logs nor files nor time. In ten lines, without Kafka:

    learner = LearnerCore(LearnerSettings(seed=1))
    learner.apply(parse_version(b'{"version": 1, "ts": 0, "changes": [...]}'))
    report = learner.learn(learner.encode(interactions))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from stream.adaptation.changes import make_changes, take_up, what_changed
from stream.adaptation.strategy import Strategy
from stream.adaptation.transfer.warmup import Warmup
from stream.encoding.aliases import resolved
from stream.encoding.batch import Batch
from stream.encoding.encoder import encode
from stream.encoding.top_names import TOP_UNKNOWN, UNKNOWN, TopNames
from stream.errors import NonFinite
from stream.evaluation import Evaluation, LossDrift, ScoredEvents
from stream.network.frame import Frame
from stream.network.network import Network
from stream.network.persistence import (
    frozen_entries,
    is_finite,
    named_entries,
    network_state,
    parameter_counts,
    parameters_in_use,
    restore_network,
)
from stream.records.interaction import Interaction
from stream.records.reasons import WarmupEnd
from stream.report import BatchReport, MixtureReport, ModelReport, SchemaReport, SlotCount, WarmupReport
from stream.schema import Schema, Version
from stream.settings.learner import LearnerSettings
from stream.state import Tree
from stream.state.digest import digest, id_digest, to_hex

__all__ = ["LearnerCore", "Predictions"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is said of a batch's pairs `(P,)`, with the offers' names by slot."""

    batch: Batch
    logits: np.ndarray
    """float32: the network's own."""
    scores: np.ndarray
    """float64: the log-odds of the published probability, in which simple experts have a say."""
    names: Sequence[str | None]
    variance: np.ndarray | None = None
    """Posterior variance float64 `(P,)` of the logits, if asked for and the strategy keeps a posterior."""


class LearnerCore:
    """One network, its schema, its measures and its warm-up: all that a checkpoint has to hold."""

    def __init__(self, settings: LearnerSettings) -> None:
        torch.set_num_threads(settings.threads)  # part of what makes two runs equal bit for bit
        self.settings = settings
        self.strategy = Strategy(settings)
        self.schema = Schema.empty()
        self.event_time_ms: int | None = None
        self.network = self._new_network()
        self.warmup = Warmup(settings.warmup)
        self.evaluation = Evaluation(settings.evaluation)
        self.drift = LossDrift(settings.drift)
        self._ids = 0
        self._parameters = (0, 0)
        self.counts = {
            "events_trained": 0,
            "events_with_labels": 0,
            "events_dead_lettered": 0,
            "labels_dropped": 0,
            "names_aliased": 0,
            "schema_changes": 0,
        }
        self.dead_letters: dict[str, int] = {}
        self.moves = 0
        """How often the model may have changed, for whoever keeps something that was made of it; no state."""
        self.unknown_names = {what: TopNames() for what in UNKNOWN}
        """The most frequent names that the schema lacks, by where they stood."""

    def _new_network(self) -> Network:
        settings = self.settings
        return Network(settings.network, settings.optimiser, settings.seed, settings.device, self.strategy.install)

    # -- events -----------------------------------------------------------------------------------------------

    @property
    def events_trained(self) -> int:
        """How many events this model has been trained on."""
        return self.counts["events_trained"]

    @property
    def ids_digest(self) -> str:
        """The contract's digest over the ids of the events trained."""
        return to_hex(self._ids)

    def encode(self, interactions: Sequence[Interaction]) -> Batch:
        """Return a batch of interactions as arrays under the schema in force; changes nothing."""
        named, aliased = resolved(interactions, self.schema)
        batch = encode(named, self.schema.version, self.network.layout.features, self.network.layout.offers)
        batch.names_aliased = aliased
        return batch

    def predict(self, batch: Batch, *, variance: bool = False) -> Predictions:
        """Return the logits that `learn` would train on, and leave no trace; with their `variance` if asked."""
        frame = self.network.frame(batch)
        logits = self.network.forward(frame)
        scores = self.network.assess(frame, logits).scores
        spread = self.network.logit_variance(frame) if variance else None
        names = list(self.network.layout.offers.offers.names)
        return Predictions(batch, logits.cpu().numpy(), scores, names, None if spread is None else spread.cpu().numpy())

    def represent(self, batch: Batch) -> np.ndarray:
        """Return the shared representation `(B, hidden[-1])` float32 of each event, and leave no trace."""
        return np.asarray(self.network.represent(self.network.frame(batch)).cpu().numpy())

    def learn(self, batch: Batch) -> BatchReport:
        """Predict, train and count a batch step by step, then score it; raises NonFinite if a logit is no number.

        An event is predicted just before its own gradient step, with what the steps before it taught.

        Raises ValueError for an empty batch, and for one that was encoded under another schema version.
        """
        if batch.schema_version != self.schema.version:
            raise ValueError(f"the batch is of schema version {batch.schema_version}, not {self.schema.version}")
        if not len(batch):
            raise ValueError("the batch is empty; learn from one event at least")
        self.moves += 1
        now = self.events_trained
        ended = None
        if self.warmup.active:
            removed = None if self.network.any_fresh else WarmupEnd.REMOVED
            ended = self._end_warmup(removed or self.warmup.ends_before(now, len(batch)))
        warming_up = self.warmup.active
        evictions = self.network.layout.evictions + self.evaluation.evictions
        self.network.admit_keys(batch, now, warming_up=warming_up)
        frame = self.network.frame(batch)
        reached = self.network.reaches(frame) if warming_up else None
        own, scored, sums = self._train(batch, frame, warming_up=warming_up)
        scores = self.evaluation.update(ScoredEvents.of(batch, scored))
        losses = _mean_losses(batch, sums)
        drift = self.drift.update([loss for loss in losses if loss is not None])
        unresolved = self.network.observe(batch, frame, now, warming_up=warming_up)
        self._count(batch, len(scores.labelled))
        self.strategy.after_batch(self.network, batch, frame, self.events_trained, drift=drift)
        if reached is not None:
            kept = [loss for loss, hit in zip(losses, reached, strict=True) if hit and loss is not None]
            ended = self._end_warmup(self.warmup.trained(now, len(batch), kept))
        bce_sum = scores.bce_sum
        return BatchReport(
            events=len(batch),
            events_with_labels=len(scores.labelled),
            pairs=batch.pairs,
            loss=bce_sum / batch.pairs if batch.pairs else 0.0,
            running_rate_loss=scores.running_rate_bce_sum,
            contested_events=scores.contested_events,
            quality_sums=scores.quality_sums(),
            logits=own,
            published=scored,
            scores=scores,
            labels=batch.labels,
            labels_dropped=batch.labels_dropped,
            names_aliased=batch.names_aliased,
            feature_values=batch.feature_values,
            unknown_features=batch.unknown_features,
            unknown_shown=batch.unknown_shown,
            mistyped_values=batch.mistyped_values,
            unresolved_values=unresolved,
            drift=drift,
            warmup_ended=ended,
            evictions=self.network.layout.evictions + self.evaluation.evictions - evictions,
            **self._standing(warming_up),
        )

    def _train(self, batch: Batch, frame: Frame, *, warming_up: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take the batch's gradient steps; return what was said before each event's step, and what it cost.

        These are logits and scores `(P,)`, and the network's loss `(B,)` summed over an event's pairs.
        """
        network, stochastic, now = self.network, self.strategy.stochastic, self.events_trained
        own, scored, losses = np.empty(batch.pairs, dtype=np.float32), np.empty(batch.pairs), np.empty(len(batch))
        start = 0
        while start < len(batch):
            # The first batch is one step: the running counts know no rate before it, and weights that make up for that
            # are in the way as soon as the counts do.
            number = self.settings.optimiser.step_of(now + start) if now else len(batch)
            stop = min(start + number, len(batch))
            part = frame.part(start, stop)
            logits = network.forward(part)
            assessed = network.assess(part, logits)
            if not assessed.finite:
                raise NonFinite(
                    f"a logit is not finite after {now} events (schema version {self.schema.version}); nothing of this "
                    "was checkpointed: restart from the last checkpoint with smaller learning rates"
                )
            pairs = slice(batch.offsets[start], batch.offsets[stop])
            own[pairs], scored[pairs] = logits.cpu().numpy(), assessed.scores
            losses[start:stop] = assessed.network_losses
            network.experts.update(part, assessed)
            network.see_weights(part, batch.weight[start:stop])
            if len(assessed.scores):
                if stochastic:
                    logits = network.forward(part, training=True, count_inputs=network.count_inputs)
                network.train(part, logits, warming_up=warming_up)
            network.counts.update(part)
            start = stop
        return own, scored, losses

    def count_inputs(self, batch: Batch) -> torch.Tensor:
        """Return the running counts as inputs of a batch's pairs `(P, inputs)`, as `replay` wants them back."""
        return self.network.counts.inputs(self.network.frame(batch)).clone()

    def replay(self, batch: Batch, count_inputs: torch.Tensor) -> None:
        """Train the weights once more on events trained before: they are in no counter, digest or measure.

        `count_inputs` are those of `count_inputs` from just before the events were learned: as they stand now,
        the counts have seen the labels, and weights would learn to read them there.
        """
        if not batch.pairs:
            return
        self.moves += 1
        frame = self.network.frame(batch)
        logits = self.network.forward(frame, training=self.strategy.stochastic, count_inputs=count_inputs)
        self.network.train(frame, logits, warming_up=False)

    def report(self) -> ModelReport:
        """Return how the model stands: for those who watch, before a first batch."""
        return ModelReport(**self._standing(self.warmup.active))

    def _standing(self, warming_up: bool) -> dict[str, Any]:
        network, features = self.network, self.network.layout.features
        total, fresh = self._parameters if warming_up else (parameters_in_use(network), 0)
        kinds = {
            "numeric": features.numeric,
            "categorical": features.categorical,
            "offer": network.layout.offers.offers,
        }
        return {
            "schema_version": self.schema.version,
            "phase": self._phase(warming_up),
            "read_window": self.evaluation.window,
            "mixture": self._mixture(),
            "parameters": total,
            "parameters_frozen": total - fresh if warming_up else 0,
            "features_live": len(self.schema.features),
            "labels_live": len(self.schema.labels),
            "slots": {kind: SlotCount(len(registry), registry.free_slots) for kind, registry in kinds.items()},
            "events_trained_total": self.events_trained,
            "events_frozen_total": self.warmup.events_frozen_total,
            "warmups_total": self.warmup.started_total,
            "event_time_ms": self.event_time_ms,
            "unknown_names": self._top_unknown_names(),
            "vocabulary": {
                "values": network.layout.rows.live,
                "entities": len(network.layout.keys),
                "attribute_values": len(network.layout.offers.values),
                "candidates": sum(len(v.candidates) for v in network.layout.rows.vocabularies.values()),
            },
        }

    def _top_unknown_names(self) -> dict[str, list[tuple[str, int]]]:
        return {what: names.top(TOP_UNKNOWN) for what, names in self.unknown_names.items()}

    def _mixture(self) -> MixtureReport:
        mixture = self.network.experts.mixture
        return MixtureReport(
            weights=dict(zip(mixture.names, mixture.weights.tolist(), strict=True)),
            loss_sums=dict(zip(mixture.names, mixture.loss_sums.tolist(), strict=True)),
            loss_sum=mixture.loss_sum,
            regret_bound=mixture.regret_bound,
            pairs=mixture.pairs,
        )

    def _phase(self, warming_up: bool) -> str:
        return "warm_up" if warming_up else "train" if len(self.network.layout.offers) else "idle"

    def _count(self, batch: Batch, labelled: int) -> None:
        for identifier in batch.ids:
            self._ids = id_digest(self._ids, identifier)
        latest = int(batch.ts.max())
        self.event_time_ms = latest if self.event_time_ms is None else max(self.event_time_ms, latest)
        self.counts["events_trained"] += len(batch)
        self.counts["events_with_labels"] += labelled
        self.counts["labels_dropped"] += batch.labels_dropped
        self.counts["names_aliased"] += batch.names_aliased
        for what, seen in batch.unknown_names.items():
            self.unknown_names[what].add(seen)

    def _end_warmup(self, reason: WarmupEnd | None) -> WarmupReport | None:
        if reason is None:
            return None
        total, fresh = self._parameters
        self.warmup.end()
        self._unfreeze()
        return WarmupReport(self.schema.version, self.warmup.events, reason, total - fresh)

    def _unfreeze(self) -> None:
        self.network.end_warmup()
        self.strategy.warmed_up(self.network)

    def dead_letter(self, reason: str, count: int = 1) -> None:
        """Count interactions that were dead-lettered instead of trained."""
        self.counts["events_dead_lettered"] += count
        self.dead_letters[reason] = self.dead_letters.get(reason, 0) + count

    # -- schema -----------------------------------------------------------------------------------------------

    def apply(self, version: Version) -> SchemaReport:
        """Take a version into effect, all of it or (SchemaRejected) nothing; a duplicate changes nothing."""
        after = self.schema.apply(version)
        if after is self.schema:
            return SchemaReport(version.version, version.changes, duplicate=True)
        self.moves += 1
        creating = self.schema.version == 0
        transfer = self.strategy.transfer
        active = self.warmup.active
        warming_up = self.network.replaced_layers if active else (False, False)
        make_changes(version.changes, self.network, self.evaluation, transfer, creating=creating)
        self.schema = after
        self.counts["schema_changes"] += len(version.changes)
        made = what_changed(version.changes, creating=creating, warming_up=warming_up)
        if transfer.restarts and not creating and (made.inputs or made.outputs):
            left = self.network.layout
            self.network = self._new_network()
            self.network.names.take_over(left)
        self.network.names.late = True
        leaves_new = self.strategy.changed(self.network, made, self.events_trained) or made.leaves_new
        started = joined = False
        if active and leaves_new:
            self.warmup.join()
            joined = True
        elif not active:
            started = (
                transfer.warms_up
                and leaves_new
                and not creating
                and self.warmup.start(self.events_trained, self.settings.batch_size)
            )
            if not started:
                self._unfreeze()
        # What is fresh is counted only if a warm-up is there to train it.
        active = self.warmup.active
        self._parameters = parameter_counts(self.network) if active else (parameters_in_use(self.network), 0)
        return SchemaReport(
            version.version,
            version.changes,
            replaced_input=made.inputs,
            replaced_output=made.outputs,
            warmup_started=started,
            warmup_joined=joined,
            remarks=self.strategy.remarks(),
        )

    # -- state ------------------------------------------------------------------------------------------------

    def state(self) -> Tree:
        """Return everything as a state tree; raises NonFinite rather than let a broken model be checkpointed."""
        if not is_finite(self.network):
            raise NonFinite(
                f"a weight is not finite after {self.events_trained} events; nothing of this was checkpointed: restart "
                "from the last checkpoint with smaller learning rates"
            )
        return {
            "schema": self.schema.state(),
            "network": network_state(self.network),
            "implementation": self.network.implementation,
            "evaluation": self.evaluation.state(),
            "drift": self.drift.state(),
            "warmup": self.warmup.state(),
            "strategy": self.strategy.state(),
            "event_time_ms": self.event_time_ms,
            "ids": self.ids_digest,
            "counts": dict(self.counts),
            "dead_letters": dict(self.dead_letters),
            "unknown_names": {what: names.state() for what, names in self.unknown_names.items()},
            "parameters": list(self._parameters),
        }

    @classmethod
    def from_state(cls, tree: Tree, settings: LearnerSettings) -> Self:
        """Return the learner whose `state` this is, under the settings with which it was made.

        Of its strategy, what a schema change does may be another one. Raises ConfigurationError if more differs.
        """
        learner = cls(settings)
        learner.strategy.require_same_methods(tree["strategy"])
        learner.schema = Schema.from_state(tree["schema"])
        restore_network(learner.network, tree["network"])
        learner.network.names.late = learner.schema.version > 0
        learner.evaluation.restore(tree["evaluation"])
        learner.drift.restore(tree["drift"])
        learner.warmup.restore(tree["warmup"])
        learner.strategy.restore(tree["strategy"], learner.network)
        learner.event_time_ms = tree["event_time_ms"]
        learner._ids = int(tree["ids"], 16)
        learner.counts = dict(tree["counts"])
        learner.dead_letters = dict(tree["dead_letters"])
        for what, names in learner.unknown_names.items():
            names.restore(tree["unknown_names"][what])
        learner._parameters = (tree["parameters"][0], tree["parameters"][1])
        transfer = learner.strategy.transfer
        if learner.warmup.active and not transfer.warms_up:  # begun under another strategy
            learner.warmup.end()
            learner._unfreeze()
        if not transfer.ignores_new and take_up(learner.schema, learner.network) and not learner.warmup.active:
            learner._unfreeze()
        return learner

    def named_state(self) -> Iterator[tuple[str, object]]:
        """Yield all state by name, never by slot."""
        schema = self.schema
        yield "schema", [schema.version, schema.event_time_ms, list(schema.applied)]
        yield "schema/features", dict(schema.features)
        yield "schema/aliases", [dict(schema.feature_aliases), dict(schema.label_aliases)]
        yield "schema/labels", {name: dict(attributes) for name, attributes in schema.labels.items()}
        for name, value in named_entries(self.network):
            yield f"network/{name}", value
        for name, value in self.evaluation.named_state():
            yield f"evaluation/{name}", value
        for name, value in self.drift.named_state():
            yield f"drift/{name}", value
        yield "warmup", self.warmup.state()
        for name, value in self.strategy.named_state():
            yield f"strategy/{name}", value
        yield "event_time_ms", self.event_time_ms
        yield "ids", self.ids_digest
        yield "seed", self.settings.seed
        yield "counts", dict(self.counts)
        yield "dead_letters", dict(self.dead_letters)
        yield "unknown_names", {what: names.state() for what, names in self.unknown_names.items()}

    def state_digest(self) -> str:
        """Return the contract's digest over all named state."""
        return digest(self.named_state())

    def frozen_digest(self) -> str:
        """Return the digest over what the running warm-up must leave as it is."""
        return digest(frozen_entries(self.network))

    def summary(self) -> dict[str, Any]:
        """Return the counts and measures of the contract's summary that belong to the model.

        `experts` has the mean loss of each and its weight at the end, `mixture` the mean loss of what they say
        together, and its bound: all of them over every pair of the model's life, the first fifth of a finite pass too.
        """
        mixture = self._mixture()
        pairs = mixture.pairs
        return {
            **self.counts,
            "schema_version": self.schema.version,
            "warmups": self.warmup.started_total,
            "events_frozen": self.warmup.events_frozen_total,
            "ids_digest": self.ids_digest,
            "unknown_names": self._top_unknown_names(),
            "phase": self._phase(self.warmup.active),
            "parameters": parameters_in_use(self.network),
            "experts": {
                name: {"bce": total / pairs if pairs else None, "weight": mixture.weights[name]}
                for name, total in mixture.loss_sums.items()
            },
            "mixture": {
                "bce": mixture.loss_sum / pairs if pairs else None,
                "pairs": pairs,
                "regret_bound_nats": mixture.regret_bound,
            },
            **self.evaluation.summary(),
        }


def _mean_losses(batch: Batch, sums: np.ndarray) -> list[float | None]:
    """Return the mean of each event's loss over its pairs, in nats, for the `sums`; None for one without pairs."""
    pairs = np.diff(batch.offsets)
    return [total / number if number else None for total, number in zip(sums.tolist(), pairs.tolist(), strict=True)]
