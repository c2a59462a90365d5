"""The further forms in which an audit can be handed on, made when they are asked for."""

from collections.abc import Callable, Mapping
from functools import partial

from tensorguard.licences.audit import Audit


def exports(audit: Audit) -> Mapping[str, Callable[[], str]]:
    """Return what makes each form."""
    return {
        form: partial(maker, audit)
        for form, maker in (("sarif", _sarif), ("cyclonedx", _cyclonedx), ("spdx", _spdx), ("card", _card))
    }


def _sarif(audit: Audit) -> str:
    from tensorguard.reports.sarif import to_sarif

    return to_sarif(audit)


def _cyclonedx(audit: Audit) -> str:
    from tensorguard.reports.cyclonedx import to_cyclonedx

    return to_cyclonedx(audit)


def _spdx(audit: Audit) -> str:
    from tensorguard.reports.spdx import to_spdx

    return to_spdx(audit)


def _card(audit: Audit) -> str:
    from tensorguard.reports.model_card import to_card

    return to_card(audit)
