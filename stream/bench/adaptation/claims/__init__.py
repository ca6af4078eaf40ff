"""The papers' claims, a file for each paper, and the verdicts that the runs allow."""

from stream.bench.adaptation.claims import bayes, iak, mlet, peterrec, transfer
from stream.bench.adaptation.claims.claim import Claim, Table
from stream.bench.adaptation.results import Results

__all__ = ["Claim", "Table", "all_claims"]


def all_claims(results: Results) -> list[Claim]:
    """Return every claim with its verdict, paper by paper."""
    return [claim for paper in (transfer, iak, bayes, peterrec, mlet) for claim in paper.claims(results)]
