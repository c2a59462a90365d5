"""Every kind of quantisation that is known, in the order they are tried."""

from tensorguard.quantisations.awq import Awq
from tensorguard.quantisations.base import Kind
from tensorguard.quantisations.bitsandbytes_4bit import BitsAndBytes4Bit
from tensorguard.quantisations.bitsandbytes_int8 import BitsAndBytesInt8
from tensorguard.quantisations.compressed import CompressedTensors
from tensorguard.quantisations.fp4 import Fp4
from tensorguard.quantisations.gptq import Gptq
from tensorguard.quantisations.hqq import Hqq
from tensorguard.quantisations.mlx import Mlx
from tensorguard.quantisations.mxfp4 import Mxfp4
from tensorguard.quantisations.onnx import Onnx
from tensorguard.quantisations.scaled import Scaled
from tensorguard.quantisations.torchao import Torchao
from tensorguard.quantisations.undecoded import Undecoded

KINDS: tuple[Kind, ...] = (
    Gptq(),
    Awq(),
    BitsAndBytesInt8(),
    BitsAndBytes4Bit(),
    CompressedTensors(),
    Fp4(),
    Mxfp4(),
    Hqq(),
    Mlx(),
    Onnx(),
    Torchao(),
    Scaled(),
    Undecoded(),
)
