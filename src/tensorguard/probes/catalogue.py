"""All strategies by name, the five of the paper's fingerprint, and those of the sensitivity study."""

from collections.abc import Mapping

from tensorguard.errors import UsageError
from tensorguard.probes.adversarial import Adversarial
from tensorguard.probes.attention import AttentionPattern, HeadSpecific, TokenFocus
from tensorguard.probes.base import Strategy
from tensorguard.probes.frequency import HIGH_FREQUENCY, LOW_FREQUENCY, STRUCTURED
from tensorguard.probes.gaussian import Gaussian
from tensorguard.probes.sinusoid import Sinusoid

_ALL: tuple[Strategy, ...] = (
    Adversarial(),
    STRUCTURED,
    Gaussian(),
    LOW_FREQUENCY,
    HIGH_FREQUENCY,
    Sinusoid(),
    TokenFocus(),
    AttentionPattern(),
    HeadSpecific(),
)

STRATEGIES: Mapping[str, Strategy] = {strategy.name: strategy for strategy in _ALL}
"""Every strategy, by the word users write."""

PAPER: tuple[str, ...] = ("adversarial", "structured", "gaussian", "low_frequency", "high_frequency")
"""The five strategies of the fingerprint, in the order that the schedule draws from."""

SENSITIVITY: tuple[str, ...] = (*PAPER, "sinusoid")
"""The strategies of the sensitivity study (paper, RQ2 and figure 5); the mixture of `PAPER` is its random baseline."""

ATTENTION: tuple[str, ...] = ("token_focus", "attention_pattern", "head_specific")
"""The attention-shaped probes of the published code."""


def strategy(name: str) -> Strategy:
    """Return a strategy by name.

    Raises:
        UsageError: There is none of that name.
    """
    try:
        return STRATEGIES[name]
    except KeyError:
        raise UsageError(f"no noise strategy is called {name!r}", hint=f"one of: {', '.join(STRATEGIES)}") from None
