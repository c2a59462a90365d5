"""A registry and its command, and models and fingerprints that were tampered with."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from support.commands import Answer, CommandLine, check
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint


class Known:
    """A registry in a folder, and its command."""

    def __init__(self, cli: CommandLine, folder: Path) -> None:
        self.cli, self.folder = cli, folder

    def __call__(self, command: str, *arguments: object) -> Answer:
        return self.cli("registry", command, *arguments, *([] if command == "diff" else ["--registry", self.folder]))

    def json(self, command: str, *arguments: object) -> Any:
        answer = self(command, *arguments, "--json")
        document = json.loads(answer.out)
        check(document)
        return document["result"]

    def statuses(self, command: str, *arguments: object) -> list[str]:
        return [each["status"] for each in self.json(command, *arguments)]


def changed(source: Path, target: Path) -> Path:
    """A copy of a model in which one number is another."""
    shutil.copytree(source, target)
    file = target / "model.safetensors"
    tensors = load_file(file)
    tensors["model.layers.0.mlp.up_proj.weight"][0, 0] += np.float32(1)
    save_file(tensors, file)
    return target


def forged(source: Path, target: Path, **changes: object) -> Path:
    """A fingerprint of which something was changed by hand."""
    found = read_fingerprint(source)
    sketches = changes.pop("sketches", {})
    assert found.sketches is not None
    write_fingerprint(target, replace(found, sketches=replace(found.sketches, **sketches), **changes))  # type: ignore[arg-type]
    return target
