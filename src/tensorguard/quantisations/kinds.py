"""Every kind of quantisation that is known, in the order they are tried."""

from tensorguard.quantisations.base import Kind
from tensorguard.quantisations.gptq import Gptq

KINDS: tuple[Kind, ...] = (Gptq(),)
