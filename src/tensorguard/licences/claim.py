"""One thing that a model's file says of the model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a file says.

    Attributes:
        field: `name`, `title`, `licence`, `licence_name`, `licence_link`, `base_model`, `relation`, `scratch` (a sentence that says
            so), `origin` (what it was saved from), `merge_method`, `merge_parent`, `merge_weight` (number and parent, a space
            between), `architecture`, `model_type`, `library`, `language`, `tag`, `quantised_by`, `adapter`; and sizes: `width`,
            `blocks`, `vocabulary`, `neurons`, `tied`.
        value: What it says; untrusted text.
        source: Where: file and key, such as `README.md: base_model`.
    """

    field: str
    value: str
    source: str

    @property
    def file(self) -> str:
        """The file's name."""
        return self.source.partition(": ")[0]
