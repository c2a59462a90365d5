"""What may be said of an entry: texts that can be written, none of them endless."""

from dataclasses import replace

from tensorguard.errors import UsageError, utf8
from tensorguard.limits import MAX_FACT_CHARACTERS
from tensorguard.registry.entry import Facts


def checked_text(text: str) -> str:
    """Return a text that can be written as UTF-8.

    Raises:
        UsageError: It is too long.
    """
    if len(text) > MAX_FACT_CHARACTERS:
        raise UsageError(f"a text of the entry is longer than {MAX_FACT_CHARACTERS} characters", where=text[:100])
    return utf8(text)


def checked_facts(facts: Facts) -> Facts:
    """Return facts of such texts.

    Raises:
        UsageError: One is too long, or there are too many parents.
    """
    texts = {name: checked_text(getattr(facts, name)) for name in Facts.__dataclass_fields__ if name != "parents"}
    if len(facts.parents) > MAX_FACT_CHARACTERS:
        raise UsageError(f"more than {MAX_FACT_CHARACTERS} parents")
    return replace(facts, parents=tuple(map(checked_text, facts.parents)), **texts)
