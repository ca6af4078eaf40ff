"""Paper 2: a two-phase information-bottleneck kernel on a frozen backbone adapts a large model to a domain."""

from __future__ import annotations

from typing import Final

from stream.bench.adaptation.arms import BETAS, beta_arm
from stream.bench.adaptation.claims.claim import (
    IAK,
    Claim,
    Table,
    Verdict,
    compared,
    judged,
    pooled_ratio,
    streams_text,
    untested,
    why_missing,
    with_all,
)
from stream.bench.adaptation.intervals import mean_interval
from stream.bench.adaptation.results import Results

__all__ = ["claims"]

_KL: Final = "Phase 1 compresses: the KL divergence falls in it, without the loss getting worse."
_DOMAINS: Final = "A kernel for each domain serves domains of unequal size."
_TENTH: Final = 10


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
    """Compare the KL divergence of the first tenth of what was recorded with that of the last."""
    courses = [
        course
        for course in with_all(results, "iak")
        if any(run.kl_nats for run in results.runs(course, "iak").values())
    ]
    rows, changes = [], []
    for course in courses:
        first, last = {}, {}
        for seed, run in results.runs(course, "iak").items():
            nats = [value for _, value in run.kl_nats]
            if nats:
                part = max(1, len(nats) // _TENTH)
                first[seed], last[seed] = sum(nats[:part]) / part, sum(nats[-part:]) / part
        before, after = mean_interval(first.values()), mean_interval(last.values())
        if before is None or after is None:
            continue
        changes.append({seed: last[seed] / first[seed] - 1 for seed in first if first[seed]})
        rows.append([streams_text([course]), before.text(".3f"), after.text(".3f")])
    seeds = set.intersection(*(set(change) for change in changes)) if changes else set()
    effect = mean_interval(sum(change[seed] for change in changes) / len(changes) for seed in sorted(seeds))
    if effect is None:
        return untested(IAK, _KL, "iak", why_missing(results, "iak"))
    verdict, why = judged(effect)
    table = Table("KL divergence, nats", ["stream", "first tenth of the records", "last tenth"], rows)
    text = f"KL divergence from first to last {effect.text('+.0f', 100, ' %')}"
    return Claim(IAK, _KL, "iak", streams_text(courses), text, verdict, why, [table])


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
    table = Table(f"loss per pair by domain, {streams_text([course])}", ["domain", *arms], rows)
    text = f"better than carry in {better} of {len(names)} domains (whole interval below 0)"
    why = "Seen where most domains gain."
    return Claim(IAK, _DOMAINS, "iak against carry", streams_text([course]), text, seen, why, [table])


def _beta(results: Results) -> Claim:
    claim = "A weight of the KL term above 0 pays."
    base = beta_arm(0.0).name
    courses = with_all(results, base)
    rows, best = [], None
    for beta in BETAS[1:]:
        effect = pooled_ratio(results, courses, beta_arm(beta).name, base, "loss_sum")
        if effect is None:
            continue
        rows.append([f"{beta:g}", effect.text("+.3f", 100, " %")])
        if best is None or effect.mean < best[1].mean:
            best = (beta, effect)
    if best is None:
        return untested(IAK, claim, f"iak, beta in {BETAS}", why_missing(results, base))
    verdict, why = judged(best[1])
    table = Table("summed loss against beta = 0 (with noise)", ["beta", "summed loss"], rows)
    text = f"best beta {best[0]:g}: summed loss {best[1].text('+.3f', 100, ' %')}"
    return Claim(IAK, claim, f"iak, beta in {BETAS}", streams_text(courses), text, verdict, why, [table])
