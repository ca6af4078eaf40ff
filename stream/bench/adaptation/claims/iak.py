"""Paper 2: a two-phase information-bottleneck kernel on a frozen backbone adapts a large model to a domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stream.bench.adaptation.arms import BETAS, beta_arm
from stream.bench.adaptation.claims.claim import (
    IAK,
    Claim,
    Table,
    Verdict,
    best_of,
    compared,
    judged,
    pooled_by_seed,
    pooled_ratio,
    streams_text,
    untested,
    why_missing,
    with_all,
)
from stream.bench.adaptation.intervals import mean_interval
from stream.bench.adaptation.measures import Measures
from stream.bench.adaptation.results import Results

__all__ = ["claims"]

_KL: Final = "Phase 1 compresses: the KL divergence falls in it."
_DOMAINS: Final = "A kernel for each domain serves domains of unequal size."
_PHASES: Final = ("before_compression", "after_compression", "after_matching", "after_steady")
_MATCHING: Final = 2
"""The number of phase 2, of which a kernel's figure `iak_phase` tells."""
_HEADER: Final = ("phase 1 begins", "phase 1 ends", "phase 2 ends", "last")


def claims(results: Results) -> list[Claim]:
    """Return the paper's claims."""
    return [
        compared(results, IAK, "IAK is better than tuning the head alone.", "iak", "tune-head"),
        compared(results, IAK, "IAK is better than training the whole model on.", "iak", "carry"),
        compared(
            results, IAK, "The stochastic bottleneck is what helps, not the added size.", "iak", "iak-deterministic"
        ),
        _compression(results),
        _domains(results),
        _beta(results),
    ]


def _compression(results: Results) -> Claim:
    """Compare the KL divergence at the beginning of phase 1 with that at its end, and show it phase by phase."""
    ran = [course for course in with_all(results, "iak") if _kernels(results, course)]
    courses = [course for course in ran if _mostly_finished(results, course)]
    rows, changes = [], []
    for course in courses:
        by_phase = [_kl(results, course, phase) for phase in _PHASES]
        before, after = by_phase[0], by_phase[1]
        changes.append({seed: after[seed] / before[seed] - 1 for seed in after.keys() & before.keys() if before[seed]})
        rows.append([streams_text([course]), *map(_nats, by_phase)])
    seeds = set.intersection(*(set(change) for change in changes)) if changes else set()
    effect = mean_interval(sum(change[seed] for change in changes) / len(changes) for seed in sorted(seeds))
    unfinished = [_unfinished_text(results, course) for course in ran if course not in courses]
    if effect is None:
        return untested(IAK, _KL, "iak", " ".join(unfinished) or why_missing(results, "iak"))
    verdict, why = judged(effect)
    why = " ".join([why, *unfinished])
    tables = [Table("KL divergence in nats an event, mean over kernels", ["stream", *_HEADER], rows)]
    for course in ran:
        domains = sorted({name for run in results.runs(course, "iak").values() for name in _domains_of(run)})
        if domains:
            by_domain = [
                [domain, *(_nats(_kl(results, course, phase, domain)) for phase in _PHASES)] for domain in domains
            ]
            title = f"KL divergence in nats an event, by domain, kernels past phase 1, {streams_text([course])}"
            tables.append(Table(title, ["domain", *_HEADER], by_domain))
    text = f"KL divergence over phase 1 {effect.text('+.0f', 100, ' %')}"
    return Claim(IAK, _KL, "iak", streams_text(courses), text, verdict, why, tables)


def _figures(run: Measures) -> Mapping[str, float]:
    figures = run.notes.get("figures")
    return figures if isinstance(figures, dict) else {}


def _domains_of(run: Measures) -> list[str]:
    beginning = f"iak_kl_nats_{_PHASES[0]}/"
    return [name.removeprefix(beginning) for name in _figures(run) if name.startswith(beginning)]


def _kernels(results: Results, course: str) -> list[bool]:
    """Return of each kernel of each seed whether its phase 1 had ended when the stream did."""
    return [
        value >= _MATCHING
        for run in results.runs(course, "iak").values()
        for name, value in _figures(run).items()
        if name.partition("/")[0] == "iak_phase"
    ]


def _mostly_finished(results: Results, course: str) -> bool:
    kernels = _kernels(results, course)
    return sum(kernels) > len(kernels) / 2


def _unfinished_text(results: Results, course: str) -> str:
    kernels, seeds = _kernels(results, course), len(results.runs(course, "iak"))
    share = f"{kernels.count(False) / seeds:.3g} of {len(kernels) / seeds:.3g} kernels"
    return f"On {streams_text([course])} {share} had not ended phase 1 when the stream did."


def _kl(results: Results, course: str, phase: str, domain: str | None = None, arm: str = "iak") -> dict[int, float]:
    """Return the KL divergence by seed, of kernels past phase 1; without a domain, the mean over those.

    A kernel that is still in phase 1 has a KL divergence of today, and none of that phase's end.
    """
    found = {}
    for seed, run in results.runs(course, arm).items():
        name = f"iak_kl_nats_{phase}"
        figures = _figures(run)
        values = [
            value
            for key, value in figures.items()
            if (key == name or key.startswith(f"{name}/"))
            and (domain is None or key == f"{name}/{domain}")
            and figures.get(f"iak_phase{key.removeprefix(name)}", 0) >= _MATCHING
            and value
        ]
        if values:
            found[seed] = sum(values) / len(values)
    return found


def _nats(by_seed: Mapping[int, float]) -> str:
    found = mean_interval(by_seed.values())
    return "-" if found is None else found.text(".3f")


def _domains(results: Results) -> Claim:
    arms = ["iak", "tune-head", "carry"]
    courses = [
        course
        for course in with_all(results, "iak", "carry")
        if any(run.domain_loss for run in results.runs(course, "iak").values())
    ]
    if not courses:
        return untested(IAK, _DOMAINS, "iak, tune-head, carry", why_missing(results, "iak", "carry"))
    course = courses[0]
    names = sorted({name for run in results.runs(course, "iak").values() for name in run.domain_loss})
    arms = [arm for arm in arms if results.has(course, arm)]
    rows, better = [], 0
    for name in names:
        losses = {arm: {seed: run.domain_loss[name] for seed, run in results.runs(course, arm).items()} for arm in arms}
        intervals = {arm: mean_interval(values.values()) for arm, values in losses.items()}
        rows.append([name, *("-" if found is None else found.text() for found in intervals.values())])
        shared = losses["iak"].keys() & losses["carry"].keys()
        effect = mean_interval(losses["iak"][seed] / losses["carry"][seed] - 1 for seed in sorted(shared))
        better += effect is not None and effect.sign < 0
    seen: Verdict = "seen" if better > len(names) / 2 else "not seen"
    why = "Seen where most domains gain."
    if not _mostly_finished(results, course):
        seen, why = (
            "cannot be tested here",
            f"{_unfinished_text(results, course)} Those had no kernel to serve them yet.",
        )
    table = Table(f"loss per pair by domain, {streams_text([course])}", ["domain", *arms], rows)
    text = f"better than carry in {better} of {len(names)} domains (whole interval below 0)"
    return Claim(IAK, _DOMAINS, "iak against carry", streams_text([course]), text, seen, why, [table])


def _beta(results: Results) -> Claim:
    claim = "A weight of the KL term above 0 pays."
    base = beta_arm(0.0).name
    courses = with_all(results, base)
    rows, by_beta = [], {}
    for beta in BETAS[1:]:
        effect = pooled_ratio(results, courses, beta_arm(beta).name, base, "loss_sum")
        if effect is None:
            continue
        nats = [_nats(_kl(results, course, "after_compression", arm=beta_arm(beta).name)) for course in courses]
        rows.append([f"{beta:g}", effect.text("+.3f", 100, " %"), *nats])
        by_beta[f"{beta:g}"] = pooled_by_seed(results, courses, beta_arm(beta).name, base, "loss_sum")
    best = best_of(by_beta)
    if best is None:
        return untested(IAK, claim, f"iak, beta in {BETAS}", why_missing(results, base) if not by_beta else "One seed.")
    name, effect = best
    verdict, why = judged(effect)
    why += " The interval allows for the choice: the best of several is low by chance, too."
    header = [f"KL when phase 1 ends, nats, {streams_text([course])}" for course in courses]
    table = Table("summed loss against beta = 0 (with noise)", ["beta", "summed loss", *header], rows)
    text = f"best beta {name}: summed loss {effect.text('+.3f', 100, ' %')}"
    return Claim(IAK, claim, f"iak, beta in {BETAS}", streams_text(courses), text, verdict, why, [table])
