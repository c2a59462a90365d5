"""Kinds that are known by the names of their tensors and not decoded: listed by name, their tensors left as stored."""

from tensorguard.quantisations.base import Found, Parts, UnfitError

_KINDS = {
    ".trellis": ("EXL3", (".suh",)),
    ".q_weight": ("EXL2", (".q_scale", ".q_perm")),
    ".B": ("GPTQ in Marlin's layout", (".s",)),
    ".codes": ("AQLM", (".codebooks",)),
    ".Qidxs": ("QuIP#", (".SU",)),
    ".indices": ("VPTQ", (".centroids", ".centroids.weight")),
    ".weight._data": ("quanto", (".weight._scale",)),
    ".qweight": ("a layout of GPTQ or AWQ that is not known", (".qzeros", ".scales", ".g_idx")),
    ".weight": ("EETQ", (".weight_scales",)),
}
"""End of the main tensor's name -> what it is called, and an end that one tensor beside it has."""


class Undecoded:
    """The kind; see `Kind`."""

    title = "a quantisation that is known but not decoded"
    ends = tuple(_KINDS)

    def find(self, parts: Parts) -> Found | None:
        """Recognise none; name those that are known.

        Raises:
            UnfitError: It is one of them.
        """
        title, beside = _KINDS[parts.main.name[len(parts.stem) :]]
        if any(parts.get(other) for other in beside):
            raise UnfitError(f"it is {title}")
        return None
