"""All kinds of adapters, and which one a configuration names."""

from tensorguard.adapters.base import Kind
from tensorguard.adapters.ia3 import Ia3
from tensorguard.adapters.loha import Loha
from tensorguard.adapters.lokr import Lokr
from tensorguard.adapters.lora import Lora
from tensorguard.adapters.oft import Oft
from tensorguard.adapters.prompt import SoftPrompt
from tensorguard.adapters.settings import Settings
from tensorguard.adapters.vera import Vera
from tensorguard.errors import quote

KINDS: tuple[Kind, ...] = (Lora(), Ia3(), Loha(), Lokr(), Oft(), Vera(), SoftPrompt())


def kind_of(settings: Settings) -> Kind:
    """Return the kind that a configuration's `peft_type` names.

    Raises:
        InputError: There is none, or it is not supported.
    """
    peft_type = settings.config.get("peft_type")
    if not isinstance(peft_type, str):
        settings.refuse("its adapter_config.json names no peft_type", "give the folder that PEFT's save_pretrained wrote")
    found = next((kind for kind in KINDS if peft_type in kind.peft_types), None)
    if found is None:
        settings.refuse_unmergeable(f"the kind {quote(peft_type)}")
    return found
