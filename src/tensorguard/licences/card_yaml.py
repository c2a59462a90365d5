"""Writes the front matter of a model card."""

from collections.abc import Mapping, Sequence

import yaml


def write_front_matter(fields: Mapping[str, str | Sequence[str]]) -> str:
    """Return fields as YAML between two lines of `---`, in their order, in ASCII; texts that YAML would read otherwise are quoted."""
    plain = {name: value if isinstance(value, str) else list(value) for name, value in fields.items()}
    return f"---\n{yaml.safe_dump(plain, sort_keys=False, allow_unicode=False, width=1000)}---\n"
