"""A model against a registry: from candidates to ranked relatives, with p-values that pay for the whole registry."""

from dataclasses import dataclass

from tensorguard.lineage.mixture import Mixture
from tensorguard.lineage.verdict import Lineage, Verdict
from tensorguard.registry.entry import Entry


@dataclass(frozen=True, slots=True)
class Relative:
    """A known model that was compared with the one in question.

    Attributes:
        entry: The known model.
        lineage: Evidence of the model in question (the first) against it (the second). Its verdict pays for the whole registry.
        log10_p: log10 of the smallest p-value, corrected for all tests of the pair and all models searched (Bonferroni).
        holm: The same stepped down over the candidates that are reported (Holm), each of them first corrected for its own tests.
        distance: Relative difference of the weights, from 0 to 1; None if they cannot be compared.
        confirmed: Whether fingerprints under the secret key say the same; None if there is none of this entry.
    """

    entry: Entry
    lineage: Lineage
    log10_p: float
    holm: float
    distance: float | None
    confirmed: bool | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """What a model is derived from, as far as a registry knows.

    Attributes:
        name: The model in question.
        key: Whose probes: `public`, or which secret key confirmed it.
        verdict: Of the best relative; `independent` if every candidate is, `inconclusive` if there is none to compare with.
        relatives: Candidates that are linked or share components, the most telling first: the likeliest parent or the copy.
        others: Candidates that were compared in full and are not linked, the most alike first.
        searched: How many known models the search covered.
        screened: How many of them the search gave to a first look at their operators.
        parents: What it is a merge of, where several relatives explain it better than one.
        notices: Things to know, a sentence each.
    """

    name: str
    key: str
    verdict: Verdict
    relatives: tuple[Relative, ...]
    others: tuple[Relative, ...]
    searched: int
    screened: int
    parents: Mixture | None = None
    notices: tuple[str, ...] = ()

    @property
    def best(self) -> Relative | None:
        """The relative that the answer names."""
        return self.relatives[0] if self.relatives else None
