"""`registry compact` from the command line."""

from pathlib import Path

from support.commands import CommandLine, check
from support.known import known
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry


def test_the_command_says_what_it_freed(cli: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "known"
    with Registry(folder, create=True) as registry:
        registry.add(known(1), Facts())
        gone = registry.path(registry.add(known(2), Facts()))
        raw = gone.read_bytes()
        registry.remove("model-2")
    gone.write_bytes(raw)
    answer = cli("registry", "compact", "--registry", folder, "--json", "-q").json()
    check(answer, "registry-compact-1")
    result = answer["result"]
    assert (result["entries"], result["files"], result["file_bytes"]) == (1, 1, len(raw))
    assert result["after"]["database"] <= result["before"]["database"]
    assert not gone.exists()
    assert "0 bytes freed" in cli("registry", "compact", "--registry", folder).out
    assert cli("registry", "compact", "--registry", folder / "none").code == 4
