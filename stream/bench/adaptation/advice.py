"""The report's opening in words: what to use when and what each costs, every sentence made from a figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream.bench.adaptation.arms import BASELINES, DEFAULT, ORACLE
from stream.bench.adaptation.claims.claim import MARGIN, pooled_difference, streams_text
from stream.bench.adaptation.overall import Standing
from stream.bench.adaptation.results import Results

__all__ = ["advice"]


def advice(results: Results, standings: Sequence[Standing]) -> str:
    """Return the opening, one paragraph for use and one for cost; it says so if the figures are too few."""
    online = [each for each in standings if each.arm.kind == "online"]
    if not online:
        return f"Nothing ran beside `{DEFAULT}`, so there is nothing to advise."
    if all(each.loss.half_width is None for each in online):
        return (
            "This run had one seed: no interval, so no advice. It shows that everything runs; for a choice, take the "
            "figures of a full run."
        )
    use = [*_best(online), *_helps_somewhere(online), *_after_changes(online), *_useless(online), *_counting(results)]
    cost = [*_costs(online), *_refits(standings), *_oracle(results), *_peers(standings)]
    return " ".join(use) + "\n\n" + " ".join(cost)


def _best(online: Sequence[Standing]) -> Iterable[str]:
    ahead = sorted((each for each in online if each.loss.sign < 0), key=lambda each: each.loss.mean)
    if ahead:
        names = ", ".join(f"`{each.arm.name}` ({_loss(each)})" for each in ahead)
        yield (
            f"**Averaged over the streams that tell both apart, these have a lower summed loss than `{DEFAULT}`: "
            f"{names}.** Take the first that covers your streams."
        )
    else:
        yield f"**Use `{DEFAULT}`: averaged over the streams, no other one-pass arm has a lower summed loss.**"
    close = [each for each in online if each.loss.sign == 0]
    if close:
        names = ", ".join(f"`{each.arm.name}` ({_loss(each)})" for each in close)
        yield f"Not told apart from it: {names}."


def _helps_somewhere(online: Sequence[Standing]) -> Iterable[str]:
    for each in online:
        if each.better_on and each.worse_on:
            yield (
                f"`{each.arm.name}` is better on {streams_text(each.better_on)} and worse on "
                f"{streams_text(each.worse_on)}."
            )
        elif each.better_on and each.loss.sign >= 0:
            yield f"`{each.arm.name}` is better on {streams_text(each.better_on)} alone."


def _after_changes(online: Sequence[Standing]) -> Iterable[str]:
    measured = [each for each in online if each.loss_at is not None]
    ahead = [each for each in measured if each.loss_at is not None and each.loss_at.sign < 0]
    if ahead:
        best = min(ahead, key=lambda each: each.loss_at.mean if each.loss_at is not None else 0.0)
        assert best.loss_at is not None
        text = best.loss_at.text("+.2f", 100, " %")
        yield f"Just after a schema change `{best.arm.name}` has the lowest loss ({text} in the first window)."
    elif measured:
        yield f"Just after a schema change, too, nothing has a lower loss than `{DEFAULT}`."


def _useless(online: Sequence[Standing]) -> Iterable[str]:
    useless = [each for each in online if each.loss.sign > 0 and not each.better_on]
    if useless:
        worst_first = sorted(useless, key=lambda each: -each.loss.mean)
        names = ", ".join(f"`{each.arm.name}` ({_loss(each)})" for each in worst_first)
        yield f"These do not help on any stream here, and cost loss on average: {names}."


def _counting(results: Results) -> Iterable[str]:
    """Say where counting alone, without learning a weight, ranks as well as the default."""
    for name in BASELINES:
        courses = results.compared_on(name, DEFAULT)
        effect = pooled_difference(results, courses, name, DEFAULT, "recall_at_5")
        if effect is None:
            continue
        found = {course: results.difference(course, name, DEFAULT, "recall_at_5") for course in courses}
        ahead = [course for course, each in found.items() if each is not None and each.sign > 0]
        tied = [course for course, each in found.items() if each is not None and each.sign == 0]
        text = f"Counting alone (`{name}`) has recall@5 {effect.text('+.4f')} against `{DEFAULT}`"
        text += f", {len(courses)} streams"
        if ahead:
            text += f"; **it ranks better on {_recalls(results, ahead, name)}**"
        if tied:
            text += f"; not told apart on {_recalls(results, tied, name)}"
        yield f"{text}."


def _recalls(results: Results, courses: Sequence[str], name: str) -> str:
    means = {course: [results.mean(course, arm, "recall_at_5") for arm in (name, DEFAULT)] for course in courses}
    return ", ".join(
        f"{streams_text([course])} ({ours:.3f} against {its:.3f})" for course, (ours, its) in means.items()
    )


def _costs(online: Sequence[Standing]) -> Iterable[str]:
    timed = sorted(
        (each for each in online if each.seconds is not None),
        key=lambda each: each.seconds.mean if each.seconds is not None else 0.0,
    )
    if not timed:
        return
    parts = [f"`{each.arm.name}` {each.seconds.mean:+.0%}" for each in timed if each.seconds is not None]
    yield f"Cost in training seconds against `{DEFAULT}`: {', '.join(parts)}."
    cheap = [each for each in timed if each.seconds is not None and each.seconds.high < 0 and each.loss.high <= MARGIN]
    if cheap:
        names = ", ".join(f"`{each.arm.name}`" for each in cheap)
        yield f"Cheaper, and within {MARGIN:.1%} of its loss: {names}."
    else:
        yield f"Nothing is cheaper and surely within {MARGIN:.1%} of its loss."


def _refits(standings: Sequence[Standing]) -> Iterable[str]:
    for each in standings:
        if each.arm.kind == "retrain" and each.seconds is not None:
            yield (
                f"Refitting from nothing every {each.arm.every_events:,} events: loss {_loss(each)}, training seconds "
                f"{each.seconds.mean + 1:.1f} times those of `{DEFAULT}`."
            )


def _oracle(results: Results) -> Iterable[str]:
    ratios = {
        course: found
        for course in results.compared_on(DEFAULT, ORACLE)
        if (found := results.ratio(course, DEFAULT, ORACLE, "loss_sum")) is not None
    }
    if not ratios:
        return
    within = [course for course, found in ratios.items() if found.high <= 0.01]
    beyond = [course for course in ratios if course not in within]
    text = f"Against the oracle `{DEFAULT}` is within 1 % on {len(within)} of {len(ratios)} streams with a refit"
    yield text + (f"; not (or not surely) on {streams_text(beyond)}." if beyond else ".")


def _peers(standings: Sequence[Standing]) -> Iterable[str]:
    for each in standings:
        if each.arm.kind != "peer":
            continue
        text = f"`{each.arm.name}`, another library: loss {_loss(each)}"
        if each.better_on:
            text += f"; **it has a lower loss than `{DEFAULT}` on {streams_text(each.better_on)}**"
        yield f"{text}."


def _loss(each: Standing) -> str:
    count = len(each.courses)
    return f"{each.loss.text('+.2f', 100, ' %')}, {count} {'stream' if count == 1 else 'streams'}"
