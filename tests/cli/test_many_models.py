"""Many models in one command: lists and folders of them, what failed, killed workers and a killed command."""

import io
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.checkpoints import llama, save
from support.commands import PROGRAM, CommandLine
from tensorguard.fingerprint.file import read_fingerprint

SLOW = ["--repeats", "200", "--layers", "all"]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_failed_is_listed_and_can_be_given_again(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"nonsense" * (1 + len(name)))
    listed, failed, out = tmp_path / "list", tmp_path / "failed", tmp_path / "out"
    listed.write_text(
        f"# ours\n\n{models / 'llama'}\n{tmp_path / 'one'}\tfirst of them\n{tmp_path / 'two'}\n{models / 'bert'}\n"
    )
    answer = cli("fingerprint", "--from", listed, "-o", out, "--failures", failed, "--workers", "1")
    assert answer.code == 5
    assert "4 models: 2 done, 2 failed" in answer.words()
    assert "Why models failed" in answer.out
    lines = failed.read_text().splitlines()
    assert [line for line in lines if not line.startswith("# ")] == [
        f"{tmp_path / 'one'}\tfirst of them",
        str(tmp_path / "two"),
    ]
    assert "not safetensors" in lines[0]
    save(tmp_path / "one", llama(3))
    (tmp_path / "two" / "model.safetensors").unlink()
    save(tmp_path / "two", llama(4))
    assert cli("fingerprint", "--from", failed, "-o", out, "--failures", failed, "--workers", "1").code == 0
    assert failed.read_bytes() == b""
    assert read_fingerprint(out / "first_of_them.tgfp").name == "first of them"
    assert sorted(path.stem for path in out.glob("*.tgfp")) == ["bert", "first_of_them", "llama", "two"]


def test_a_list_on_standard_input(cli: CommandLine, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{models / 'llama'}\r\n".encode())))
    assert cli("fingerprint", "--from", "-", "-o", tmp_path).code == 0
    assert (tmp_path / "llama.tgfp").exists()


def test_all_models_below_a_folder_are_named_after_their_places(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "root", tmp_path / "out"
    for place, name in (("a/x", "llama"), ("b/x", "bert"), ("models--org--y/snapshots/1234", "gpt2")):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).symlink_to(models / name)
    (root / "circle").symlink_to(root)
    (root / "notes").mkdir()
    answer = cli("fingerprint", "--below", root, "-o", out, "--workers", "1", "--json")
    assert answer.code == 0, answer.err
    assert sorted(path.stem for path in out.glob("*.tgfp")) == ["a_x", "b_x", "org_y"]
    assert cli("fingerprint", "--below", root / "notes", "-o", out).code == 4
    assert cli("fingerprint", "--below", root / "none", "-o", out).code == 4


@pytest.mark.parametrize(("content", "code"), [(b"", 3), (b"# nothing\n", 3), (b"a\0b\n", 3), (None, 4)])
def test_lists_that_are_none(cli: CommandLine, tmp_path: Path, content: bytes | None, code: int) -> None:
    if content is not None:
        (tmp_path / "list").write_bytes(content)
    assert cli("fingerprint", "--from", tmp_path / "list", "-o", tmp_path / "out").code == code
    assert not (tmp_path / "out").exists()


def test_no_model_at_all(cli: CommandLine, tmp_path: Path) -> None:
    assert cli("fingerprint", "-o", tmp_path).code == 2
    assert cli("fingerprint", "x", "-o", tmp_path, "--engine", "cluster").code == 2
    assert cli("fingerprint", "x", "-o", tmp_path, "--address", "local").code == 2
    assert cli("fingerprint", "x", "-o", tmp_path, "--failures", tmp_path / "none" / "list").code == 2


def test_a_model_given_twice_counts_once(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    answer = cli("fingerprint", models / "llama", f"{models}/./llama/", models / "llama", "-o", tmp_path)
    assert answer.code == 0
    assert "1 model: 1 done" in answer.out


def test_one_that_cannot_be_looked_at_does_not_stop_the_rest(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    strange = tmp_path / ("x" * 300)  # the system refuses the name, as it refuses a folder without permission
    for base in ((), ("--base", models / "llama")):
        answer = cli("fingerprint", models / "llama", strange, "-o", tmp_path / "out", "--workers", "1", *base)
        assert answer.code == 5
        assert "cannot be read" in answer.words()
    assert cli("fingerprint", strange, "-o", tmp_path / "out").code == 3
    answer = cli("registry", "add", strange, models / "llama", "--registry", tmp_path / "known")
    assert answer.code == 5
    assert "1 failed, 1 added" in answer.words()


def test_fingerprints_beside_models_are_no_models(cli: CommandLine, tmp_path: Path) -> None:
    save(tmp_path / "m", llama())
    for _ in range(2):
        answer = cli("fingerprint", "--below", tmp_path, "-o", tmp_path)
        assert answer.code == 0
    assert "1 model: 1 finished before" in answer.words()
    assert cli("fingerprint", tmp_path / "m", "-o", tmp_path / "m").code == 0
    assert cli("inspect", tmp_path / "m", "--json").json()["notices"] == []
    assert "no model file" in cli("inspect", tmp_path).err


def test_what_was_not_reached_stays_in_the_list_that_is_rewritten(
    cli: CommandLine, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorguard.api.faults import Alike

    listed = tmp_path / "list"
    listed.write_text(f"{models / 'llama'}\n{models / 'bert'}\n")
    before = listed.read_text()

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Alike, "note", interrupted)  # when the first is over
    command = ("fingerprint", "--from", listed, "-o", tmp_path / "out", "--workers", "1", "--failures")
    assert cli(*command, listed).code == 130
    assert listed.read_text() == before
    assert cli(*command, tmp_path / "failed").code == 130
    assert (tmp_path / "failed").read_text() == ""


def children(process: int) -> set[int]:
    return {int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()}


def workers(process: int) -> set[int]:
    return {each for each in children(process) if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks /proc who the workers are")
def test_a_killed_worker_and_a_killed_command_change_nothing(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    given = [str(models / name) for name in ("gpt2", "guanaco", "llama", "phi3")]
    call = [*PROGRAM, "fingerprint", *given, *SLOW]
    assert cli("fingerprint", *given, *SLOW, "--workers", "1", "-o", tmp_path / "expected").code == 0
    expected = files(tmp_path / "expected")

    killed = tmp_path / "killed"
    with subprocess.Popen([*call, "--workers", "2", "-o", killed], stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not list(killed.glob("*.tgfp")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    before = set(files(killed)) & set(expected)
    assert before < set(expected), "it was killed too late"
    stamps = {name: (killed / name).stat().st_mtime_ns for name in before}

    with subprocess.Popen([*call, "--workers", "2", "-o", killed], stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while len(found := workers(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(found.pop(), signal.SIGKILL)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    assert f"{len(expected) // 2} models" in out
    assert {name: content for name, content in files(killed).items() if name in expected} == expected
    assert {name: (killed / name).stat().st_mtime_ns for name in stamps if name.endswith(".tgfp")} == {
        name: stamp for name, stamp in stamps.items() if name.endswith(".tgfp")
    }, "what was finished is not done again"
