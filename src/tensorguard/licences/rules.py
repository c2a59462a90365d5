"""The rules that a model's claims are held against, as data. Ids are stable: they are never given another meaning.

TG1xx descent, TG2xx licence, TG3xx names and notices, TG4xx the model's own files, TG9xx what cannot be known. Each has its section in
`docs/check.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tensorguard.licences.audit import Finding, Severity

PAGE = "docs/check.md"
"""Where every rule is explained, under `Rule.anchor`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        id: Such as `TG101`.
        name: A word for people, such as `base-contradicted`.
        severity: How bad it is to break it.
        means: What it means to break it, a sentence.
        help: What to do.
    """

    id: str
    name: str
    severity: Severity
    means: str
    help: str

    @property
    def anchor(self) -> str:
        """Its heading in `PAGE`."""
        return f"{self.id.lower()}-{self.name}"


_NAME_BASE = "Name the true base under `base_model` in the front matter of README.md."
_ADD = "Add it to the registry (`tensorguard registry add`) and check again."

_ALL = (
    Rule("TG101", "base-contradicted", "error", "The declared base is known, and the weights do not come from it.", _NAME_BASE),
    Rule("TG102", "base-undeclared", "error", "The weights come from a known model, and no base is declared.", _NAME_BASE),
    Rule(
        "TG103",
        "from-scratch-contradicted",
        "error",
        "The card says that the model was trained from scratch, and its weights come from a known model.",
        f"{_NAME_BASE} Take the sentence out of the card.",
    ),
    Rule(
        "TG104",
        "other-base-shown",
        "warning",
        "The declared base is not known here, and the weights come from a known model that is not declared.",
        f"Declare that model too, or show that the declared base descends from it: {_ADD[0].lower()}{_ADD[1:]}",
    ),
    Rule(
        "TG105",
        "relation-contradicted",
        "warning",
        "What is said to have been done to the base is not what the weights show.",
        "Correct `base_model_relation` (`finetune`, `quantized`, `merge`, `adapter`).",
    ),
    Rule(
        "TG106",
        "merge-parents-contradicted",
        "warning",
        "The parents of the merge, or their weights, are not those that the weights show.",
        "Publish the mergekit_config.yml that was used, and list its models under `base_model`.",
    ),
    Rule(
        "TG107",
        "bases-differ",
        "warning",
        "Two of the model's own files name different bases.",
        "Make README.md, adapter_config.json and mergekit_config.yml agree.",
    ),
    Rule(
        "TG108",
        "closer-relative",
        "note",
        "The model does come from the declared base, and another known model is much closer to it.",
        "Declare the closer one if it is the base: its licence counts, too.",
    ),
    Rule(
        "TG109",
        "components-only",
        "warning",
        "Only parts of the model, such as its embeddings, come from a known model.",
        "Say in the card which parts were taken.",
    ),
    Rule(
        "TG110",
        "adapter-base-contradicted",
        "error",
        "The adapter names another base than the one it was put on.",
        "Give the true base with --base, or correct base_model_name_or_path.",
    ),
    Rule(
        "TG111",
        "origin-contradicted",
        "note",
        "A file says what the model was saved from, and the weights do not come from that.",
        "Correct `_name_or_path` in config.json or the GGUF file's `general.source`, or say in the card what happened.",
    ),
    Rule(
        "TG201",
        "licence-missing",
        "warning",
        "No licence is declared.",
        "Declare one that the ancestors allow, under `license` in the front matter of README.md.",
    ),
    Rule(
        "TG202",
        "licence-unknown",
        "note",
        "The declared licence is not one that we know.",
        "Use the id of a known licence, or compare its text with the ancestors' duties yourself.",
    ),
    Rule(
        "TG203",
        "licence-incompatible",
        "error",
        "An ancestor's licence does not allow the declared one.",
        "Declare the ancestor's licence, or ask its licensor.",
    ),
    Rule(
        "TG204",
        "non-commercial",
        "error",
        "An ancestor may not be used commercially, and the declared licence allows that.",
        "Declare the ancestor's licence, or ask its licensor.",
    ),
    Rule(
        "TG205",
        "licence-text-missing",
        "warning",
        "An ancestor's licence asks for a copy of itself, and none lies beside the weights.",
        "Put the licence's text beside the weights (LICENSE).",
    ),
    Rule(
        "TG206",
        "licences-differ",
        "warning",
        "Two of the model's own files name different licences.",
        "Make the card, the container's metadata and the LICENSE file agree.",
    ),
    Rule(
        "TG207",
        "use-restrictions",
        "warning",
        "An ancestor's use restrictions have to be passed on, and nothing beside the weights mentions them.",
        "Add the policy (USE_POLICY.md), or name it in the card.",
    ),
    Rule("TG208", "threshold", "note", "An ancestor's licence changes with the size of whoever uses it.", "Check it yourself."),
    Rule("TG209", "outputs", "note", "An ancestor's licence governs what its outputs may be used for.", "Check it yourself."),
    Rule(
        "TG301",
        "name-rule",
        "error",
        "An ancestor's licence says how a derivative's name has to begin, and this name does not.",
        "Rename the model.",
    ),
    Rule(
        "TG302",
        "display-missing",
        "warning",
        "An ancestor's licence asks for words to be displayed, and the card lacks them.",
        "Put the words into the card.",
    ),
    Rule(
        "TG303",
        "notice-missing",
        "warning",
        "An ancestor's licence asks for a notice file with certain words, and there is none.",
        "Put the notice beside the weights (NOTICE).",
    ),
    Rule(
        "TG304",
        "attribution-missing",
        "warning",
        "An ancestor's licence asks for credit, and neither card nor notice gives it.",
        "Name the ancestor and its makers in the card.",
    ),
    Rule(
        "TG401",
        "config-contradicted",
        "warning",
        "The configuration describes another model than the weights are.",
        "Publish the configuration that belongs to these weights.",
    ),
    Rule(
        "TG402",
        "file-damaged",
        "warning",
        "A file that says what the model is cannot be read, or says it in two ways.",
        "Mend the file: what it claims was not checked, and other programs may read it otherwise.",
    ),
    Rule("TG901", "base-unknown", "note", "The declared base is not in the registry, so the claim cannot be verified.", _ADD),
    Rule(
        "TG902",
        "inconclusive",
        "note",
        "What is said of the descent can be neither confirmed nor contradicted from fingerprints.",
        "Compare the two models themselves: `tensorguard compare MODEL BASE --deep`.",
    ),
    Rule(
        "TG903",
        "no-known-relative",
        "note",
        "No model in the registry is shown to be an ancestor; that does not mean that the model was trained from scratch.",
        "Add the models it may come from to the registry.",
    ),
    Rule(
        "TG904",
        "ancestor-licence-unknown",
        "note",
        "The licence of an ancestor is not known here, so its duties are not.",
        "Read the ancestor's licence yourself.",
    ),
    Rule(
        "TG905",
        "nothing-claimed",
        "note",
        "The model says nothing of itself that could be checked.",
        "Add a README.md with front matter.",
    ),
    Rule(
        "TG906",
        "unverified-fingerprint",
        "note",
        "The fingerprint that a finding rests on was imported and never recomputed here.",
        "Recompute it from the weights: `tensorguard registry verify`.",
    ),
    Rule(
        "TG907",
        "public-probes",
        "note",
        "A finding rests on public probes, answers to which can be forged.",
        "Confirm it with a registry's own key (`--key-file`), or with `tensorguard compare --deep`.",
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _ALL})
"""All rules by id."""


def broken(
    rule: str,
    message: str,
    *,
    severity: Severity | None = None,
    shown: str = "",
    claimed: str = "",
    fix: str = "",
    where: str = "",
) -> Finding:
    """Return the finding that a rule is broken.

    Args:
        rule: Its id.
        message: What is wrong, one sentence; untrusted parts are quoted.
        severity: If this case is not as bad as the rule says.
        shown: What the weights or the licence show.
        claimed: What is claimed and where.
        fix: What to do, if there is better advice than the rule's.
        where: The file concerned.
    """
    known = RULES[rule]
    return Finding(rule, severity or known.severity, message, shown, claimed, fix or known.help, where)
