"""Attacks by what lies in a folder: indexes, links, devices, adapters, configurations, and what registries exchange."""

import json
import os
import socket
import tarfile
from pathlib import Path
from typing import Any

from hostile.attacks.attack import Attack, Make, folder_of
from hostile.attacks.containers import onnx_model, onnx_tensor
from support.archives import added, in_memory
from support.checkpoints import llama, save
from support.containers import entry, safetensors_bytes, save_model
from support.protobuf import field, varint

ONE = safetensors_bytes({"a": entry("F32", [2, 2], 0, 16)}, bytes(16))
SECRET = b"root:x:0:0\n"


def index(weight_map: object, raw: bytes | None = None) -> Make:
    text = json.dumps({"weight_map": weight_map}).encode() if raw is None else raw
    return folder_of(model_s_00001_s_of_s_00001__safetensors=ONE, model__safetensors__index__json=text)


def placed(kind: str) -> Make:
    """Something in a model file's place that is no file."""

    def make(folder: Path) -> list[object]:
        path = folder / "model.safetensors"
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            here = Path.cwd()
            os.chdir(folder)  # a socket's path is short
            socket.socket(socket.AF_UNIX).bind(path.name)
            os.chdir(here)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to(kind)
        return ["inspect", path]

    return make


def linked_out(folder: Path) -> list[object]:
    """A shard that a folder's link leads out to."""
    (folder / "secret").mkdir()
    (folder / "secret" / "x.safetensors").write_bytes(ONE)
    (folder / "m").mkdir()
    (folder / "m" / "sub").symlink_to(folder / "secret")
    (folder / "m" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "sub/x.safetensors"}}))
    return ["inspect", folder / "m"]


def beside(location: bytes, *facts: tuple[bytes, bytes], count: int = 1, size: int = 64) -> Make:
    """An ONNX model whose values lie in another file."""

    def make(folder: Path) -> list[object]:
        said = [(b"location", location), *facts]
        external = b"".join(field(13, field(1, key) + field(2, value)) for key, value in said)
        tensors = [onnx_tensor(external, field(14, 1), dims=(size // 4,), name=b"a%d.b" % n) for n in range(count)]
        (folder / "m").mkdir()
        (folder / "secret").write_bytes(SECRET * 100)
        (folder / "m" / "model.onnx").write_bytes(onnx_model(*tensors))
        (folder / "m" / "data").write_bytes(bytes(size))
        return ["inspect", folder / "m"]

    return make


def adapter(**config: Any) -> Make:
    def make(folder: Path) -> list[object]:
        save(folder / "base", llama(blocks=1))
        key, width = (
            "base_model.model.model.layers.0.self_attn.q_proj",
            llama(blocks=1)["model.layers.0.self_attn.q_proj.weight"].shape,
        )
        r = 2
        header = {
            f"{key}.lora_A.weight": entry("F32", [r, width[1]], 0, 4 * r * width[1]),
            f"{key}.lora_B.weight": entry("F32", [width[0], r], 4 * r * width[1], 4 * r * (width[0] + width[1])),
        }
        (folder / "a").mkdir()
        (folder / "a" / "adapter_model.safetensors").write_bytes(
            safetensors_bytes(header, bytes(4 * r * (width[0] + width[1])))
        )
        text = {"peft_type": "LORA", "r": r, "lora_alpha": 4, **config}
        (folder / "a" / "adapter_config.json").write_text(json.dumps(text))
        return ["merge", folder / "a", "--base", folder / "base", "-o", "merged.safetensors"]

    return make


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> Make:
    def make(folder: Path) -> list[object]:
        with (folder / "known.tar").open("wb") as file:
            for info, raw in members:
                file.write(info.tobuf(tarfile.USTAR_FORMAT) + raw + bytes(-len(raw) % 512))
            file.write(bytes(1024))
        return ["registry", "import", folder / "known.tar", "--registry", folder / "known"]

    return make


def manifest(**changes: Any) -> Make:
    document = {
        "schema": "tensorguard/registry-archive/1",
        "tool": {"name": "t", "version": "1"},
        "entries": [],
        "bytes": {},
    } | changes

    def make(folder: Path) -> list[object]:
        (folder / "known.tar").write_bytes(in_memory({"manifest.json": json.dumps(document).encode()})[:2048])
        return ["registry", "import", folder / "known.tar", "--registry", folder / "known"]

    return make


def compared(document: object, **header: object) -> Make:
    """A fingerprint of somebody."""

    def make(folder: Path) -> list[object]:
        text = document if isinstance(document, str) else json.dumps(document)
        raw = safetensors_bytes({"__metadata__": {"tensorguard": text}, **header})
        for name in "ab":
            (folder / f"{name}.tgfp").write_bytes(raw)
        return ["compare", folder / "a.tgfp", folder / "b.tgfp"]

    return make


def plain(folder: Path, config: bytes) -> list[object]:
    save_model(folder / "model.safetensors", ("model.layers.0.mlp.up_proj.weight", "b.weight"))
    (folder / "config.json").write_bytes(config)
    return ["inspect", folder]


def configured(config: bytes) -> Make:
    return lambda folder: plain(folder, config)


LAYERS = {"schema": "tensorguard/tgfp/1", "layers": []}
STATISTICS = {"layers.statistics": {"dtype": "F64", "shape": [0, 6], "data_offsets": [0, 0]}}

ATTACKS: dict[str, Attack] = {
    **{
        f"index: {name}": Attack("names of shards", index({"a": name}), "no plain path inside")
        for name in ("../../secret", "/etc/passwd", "a/../../x", "C:\\x", "\\\\host\\x", "x\0y", "a\nb", "x" * 300, "..", "")
    },
    "index: itself": Attack("cycles", index({"a": "model.safetensors.index.json"}), "not a model file"),
    "index: nested 100000 deep": Attack("depth", index({}, b'{"weight_map":' + b"[" * 100_000), "nested"),
    "index: 20000 shards": Attack("number of shards", index({f"t{n}": f"s{n}" for n in range(20_000)}), "more than"),
    "index: a name twice": Attack("duplicate keys", index({}, b'{"weight_map":{"a":"x","a":"y"}}'), "twice"),
    "index: half a surrogate": Attack("text", index({"a": "\ud800.safetensors"}), "surrogate"),
    "index: through a link out": Attack("links", linked_out, "a link leads out"),
    "path: a fifo": Attack("kinds of files", placed("fifo"), "not a regular file"),
    "path: a socket": Attack("kinds of files", placed("socket"), "not a regular file"),
    "path: a folder": Attack("kinds of files", placed("folder"), "an empty folder"),
    "path: /dev/zero": Attack("kinds of files", placed("/dev/zero"), "not a regular file"),
    "path: /dev/tty": Attack("kinds of files", placed("/dev/tty"), ""),
    "path: a link to itself": Attack("links", placed("model.safetensors"), "a link to a file that is not there"),
    "path: a link to a text": Attack("links", placed("/etc/passwd"), "not safetensors"),
    "shards: a number of a million": Attack(
        "names of shards", folder_of(x_s_000001_s_of_s_999999__safetensors=ONE), "999999 files"
    ),
    "onnx: values in ../": Attack("external data", beside(b"../secret"), "no plain path inside"),
    "onnx: values in /etc": Attack("external data", beside(b"/etc/passwd"), "no plain path inside"),
    "onnx: values at 2^63": Attack("external data", beside(b"data", (b"offset", b"9223372036854775808")), "needs bytes"),
    "onnx: values at -1": Attack("external data", beside(b"data", (b"offset", b"-1")), "no number"),
    "onnx: 3000 tensors of the same bytes": Attack(
        "sharing (found by reading)", beside(b"data", count=3000, size=1 << 20), "more sharing than"
    ),
    "adapter: a pattern that explodes": Attack("regular expressions", adapter(alpha_pattern={"(a+)+$": 1}), "too complicated"),
    "adapter: 10^19 ranks": Attack("ranks", adapter(r=10**19), "rank"),
    "adapter: an alpha of 1e300": Attack("numbers", adapter(lora_alpha=1e300), "scale"),
    "adapter: settings of other types": Attack("types", adapter(rank_pattern=[1], use_rslora="yes"), ""),
    "config: nested 100000 deep": Attack("depth", configured(b"[" * 100_000), "nested", 0),
    "config: 10^6 digits": Attack("numbers", configured(b'{"num_attention_heads":' + b"9" * 100_000 + b"}"), "out of range", 0),
    "config: absurd sizes": Attack(
        "numbers",
        configured(
            json.dumps(
                dict.fromkeys(
                    (
                        "num_attention_heads",
                        "num_key_value_heads",
                        "head_dim",
                        "hidden_size",
                        "num_hidden_layers",
                        "num_local_experts",
                    ),
                    2**62,
                )
            ).encode()
        ),
        "",
        0,
    ),
    "config: negative sizes": Attack(
        "numbers", configured(b'{"num_attention_heads": -8, "head_dim": 0, "num_hidden_layers": -1}'), "", 0
    ),
    "fingerprint: no JSON": Attack("documents", compared("{"), "not a TensorGuard fingerprint"),
    "fingerprint: nested": Attack("depth", compared("[" * 50_000), "not a TensorGuard fingerprint"),
    "fingerprint: another schema": Attack("documents", compared({"schema": "x\x1b[2J", "layers": []}), r"'x\x1b[2J'"),
    "fingerprint: without numbers": Attack("documents", compared(LAYERS), "does not match"),
    "fingerprint: empty": Attack("documents", compared(LAYERS, **STATISTICS), ""),
    "archive: a path that leads out": Attack(
        "names in an archive", archive(added("../../evil", raw=b"x")), "where manifest.json should be"
    ),
    "archive: a link": Attack("links in an archive", archive(added("manifest.json", tarfile.SYMTYPE, link="/etc/passwd")), ""),
    "archive: a device": Attack("devices in an archive", archive(added("manifest.json", tarfile.CHRTYPE)), ""),
    "archive: no archive": Attack("archives", archive((tarfile.TarInfo("x" * 90), b"y")), "where manifest.json should be"),
    "archive: a manifest of another kind": Attack("manifests", manifest(schema="x"), "its schema"),
    "archive: a digest that leads out": Attack(
        "names in a manifest", manifest(bytes={"../../../etc/passwd": 3}), "other files than"
    ),
    "archive: more than its schema": Attack("manifests", manifest(more=1), "more than its schema"),
    "archive: entries of other types": Attack("manifests", manifest(entries=[1]), "malformed"),
    "protobuf: a tokenizer without end": Attack(
        "vocabularies", folder_of(model__safetensors=ONE, tokenizer__model=b"\x0a" + varint(2**63)), "", 0
    ),
}
