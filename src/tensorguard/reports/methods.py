"""How each kind of result was come by, and what it cannot say, in a few sentences for the page."""

_LINEAGE = (
    "Each model is read once and kept as a fingerprint: what its blocks do to the residual stream, seen through fixed probes and "
    "through the rows of common tokens, with digests of its tensors. Names, configurations and shapes decide nothing.",
    "Every test has a null hypothesis of its own (rotated bases, exchangeable labels). p-values are corrected for all tests and all "
    "models that were searched; beside each stands whether it is exact, counted, extrapolated or rests on a measured constant.",
    "Weights show what was copied. A model distilled into fresh weights leaves no trace in them, and models trained independently on "
    "the same data with the same tokenizer come out independent.",
    "Nothing found means: none of the models that were compared. It says nothing of models that were not.",
    "The probes of public fingerprints are known to all, so that agreement can be forged or erased with effort. Confirm what would "
    "accuse somebody with fingerprints of a secret key, or value by value (--deep).",
)
_DUTIES = (
    "Obligations are read from data on licences, with clause and source. They are not legal advice: read the licence itself. A parent "
    "of a parent is known only as far as the registry says.",
)
_NUMBERS = (
    "The 16 numbers are those of the paper (arXiv 2506.01631). They tell architecture and size; they cannot tell apart two models of "
    "equal shape that were trained independently.",
)
_FILES = ("Made from the files alone; nothing in them was executed.",)
_METHODS = {
    "scan": (*_LINEAGE, *_DUTIES),
    "check": (*_LINEAGE, *_DUTIES),
    "compare": (*_LINEAGE, *_NUMBERS),
    "tree": _LINEAGE,
    "parents": _LINEAGE,
    "classify": _NUMBERS,
    "cluster": _NUMBERS,
    "sensitivity": _NUMBERS,
    "fingerprint": _NUMBERS,
}


def method(kind: str) -> tuple[str, ...]:
    """Return the sentences for a kind of document."""
    return _METHODS.get(kind, _FILES)
