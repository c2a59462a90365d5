"""Models, results and the registry in object storage: a real S3 server, and what it is asked."""

import itertools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.checkpoints import llama, save
from support.commands import CommandLine
from support.object_storage import BUCKET, Storage, storing
from tensorguard.api.listing import Listed, below
from tensorguard.errors import InputError
from tensorguard.registry.opening import open_registry
from tensorguard.sources import object_files, retries
from tensorguard.sources.object_names import object_address
from tensorguard.sources.object_stores import objects_at
from tensorguard.sources.objects import Objects


@pytest.fixture(scope="module")
def server() -> Iterator[Storage]:
    with storing() as storage:
        yield storage


@pytest.fixture
def storage(server: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """The server, with nothing in its bucket that this test did not put there; nothing waits between tries."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(retries, "sleep", lambda _: None)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    object_files._opened.cache_clear()
    server.clear()
    return server


def at(place: str) -> Objects:
    address = object_address(place)
    assert address is not None
    return objects_at(address)


def test_a_model_is_the_same_there_as_in_its_folder(storage: Storage, cli: CommandLine, models: Path) -> None:
    for name in ("llama", "guanaco"):
        there = storage.upload(models / name, f"models/{name}")
        assert cli("fingerprint", there, "-o", "there").code == 0
        assert cli("fingerprint", models / name, "-o", "here").code == 0
        here = Path("here") / f"{name}.tgfp"
        assert (Path("there") / here.name).read_bytes() == here.read_bytes()


def test_it_is_listed_once_and_no_byte_is_asked_for_twice(storage: Storage, cli: CommandLine, tmp_path: Path) -> None:
    save(tmp_path / "large", llama(width=256))
    there = storage.upload(tmp_path / "large", "models/large")
    size = (tmp_path / "large/model.safetensors").stat().st_size
    assert cli("fingerprint", there, "-o", "out").code == 0
    assert storage.listings() == 1
    ranges = sorted((each.start, each.stop) for each in storage.of("GET", below="models/large/model.safetensors"))
    assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(ranges))
    assert 0.99 * size <= sum(stop - start for start, stop in ranges) <= size
    storage.asked.clear()
    object_files._opened.cache_clear()
    assert cli("inspect", there).code == 0
    assert sum(each.stop - each.start for each in storage.of("GET")) < 0.05 * size
    storage.asked.clear()
    (tmp_path / "large").rename(tmp_path / "here")
    assert cli("compare", there, tmp_path / "here", "--json").result()["verdict"] == "derived"
    assert 0 < sum(each.stop - each.start for each in storage.of("GET")) < size  # quick, as of any model on a server


def test_a_file_alone_and_one_among_others(storage: Storage, cli: CommandLine, models: Path) -> None:
    storage.upload(models / "llama", "odd é + %20/a llama")
    there = f"s3://{BUCKET}/odd é + %20/a llama/model.safetensors"
    of_file, of_folder = cli("inspect", there, "--json"), cli("inspect", there.rpartition("/")[0], "--json")
    assert of_file.result()["parts"] == of_folder.result()["parts"]
    assert of_file.result()["name"] == "a llama"


def test_results_are_put_whole_and_found_again(storage: Storage, cli: CommandLine, models: Path) -> None:
    out, given = f"s3://{BUCKET}/results/run", [models / "llama", models / "vicuna"]
    assert cli("fingerprint", *given, "-o", out, "--workers", "1").code == 0
    assert cli("fingerprint", *given, "-o", "here", "--workers", "1").code == 0
    put = {each.path: at(out).get(each.path, 10**7)[1] for each in at(out).list()}
    assert put == {path.name: path.read_bytes() for path in Path("here").iterdir()}
    assert len(put) == 4

    def statuses(*more: object) -> list[str]:
        storage.asked.clear()
        return [each["status"] for each in cli("fingerprint", *given, "-o", out, "--workers", "1", *more, "--json").result()]

    assert statuses() == ["finished before", "finished before"]
    assert storage.of("PUT") == []
    assert statuses("--repeats", "7") == ["done", "done"]  # other settings are told apart without reading what is there
    written = [index for index, each in enumerate(storage.asked) if each.method == "PUT"]
    assert not [each for each in storage.asked[: written[0]] if each.method == "GET" and each.key]
    assert statuses("--repeats", "7") == ["finished before", "finished before"]
    assert statuses("--repeats", "7", "--features", "extended") == ["done", "done"]
    object_files._opened.cache_clear()
    storage.asked.clear()
    relation = cli("compare", f"{out}/llama.tgfp", Path("here/vicuna.tgfp"), "--json").result()
    assert relation["verdict"] in ("independent", "inconclusive")
    assert len(storage.of("GET")) == 1


def test_all_models_below_a_prefix_are_found_by_one_listing(storage: Storage, cli: CommandLine, models: Path) -> None:
    storage.upload(models / "llama", "zoo/org/llama")
    storage.upload(models / "bert", "zoo/org/bert")
    storage.put("zoo/readme.md", b"nothing to see")
    storage.put("zoo/org/llama/onnx/model.onnx", b"below a model")
    for quantised in ("q4", "q8"):
        storage.put(f"zoo/both/{quantised}.gguf", (models / "guanaco/guanaco.gguf").read_bytes())
    found = below(Path(f"s3://{BUCKET}/zoo"))
    assert (storage.listings(), len(storage.of("GET"))) == (1, 0)
    there = f"s3://{BUCKET}/zoo"
    assert found == [
        Listed(f"{there}/both/q4.gguf", "both/q4"),
        Listed(f"{there}/both/q8.gguf", "both/q8"),
        Listed(f"{there}/org/bert", "org/bert"),
        Listed(f"{there}/org/llama", "org/llama"),
    ]
    done = cli("fingerprint", "--below", f"{there}/org", "-o", f"s3://{BUCKET}/out", "--workers", "1", "--json").result()
    assert [each["status"] for each in done] == ["done", "done"]
    assert {each.path for each in at(f"s3://{BUCKET}/out").list()} >= {"bert.tgfp", "llama.tgfp"}
    assert cli("fingerprint", "--below", f"s3://{BUCKET}/nothing", "-o", "out").code == 4


def test_a_registry_is_shared_by_machines(
    storage: Storage, cli: CommandLine, kin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{BUCKET}/team/known"

    def on(machine: str) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / machine))

    def names() -> list[str]:
        return [each["name"] for each in cli("registry", "list", "--registry", place, "--json").result()]

    base, tuned = sorted(folder.name for folder in kin.iterdir() if (folder / "config.json").is_file())[:2]
    on("one")
    assert cli("registry", "list", "--registry", place).code == 4
    assert cli("registry", "add", kin / base, "--registry", place, "--licence", "mit").code == 0
    on("other")
    assert cli("registry", "add", kin / tuned, "--registry", place).code == 0
    assert names() == sorted([base, tuned])
    on("one")
    assert names() == sorted([base, tuned])
    shown = cli("registry", "show", tuned, "--registry", place, "--json").result()
    assert shown["entry"]["name"] == tuned  # its print was fetched from where the other machine put it
    scanned = cli("scan", kin / tuned, "--registry", place, "--json").result()
    assert tuned in [each["entry"]["name"] for each in scanned["relatives"]]
    assert cli("check", kin / base, "--registry", place).code in (0, 10)
    assert cli("registry", "verify", "--registry", place).code == 0
    assert cli("registry", "export", "known.tar", "--registry", place).code == 0
    assert cli("registry", "import", "known.tar", "--registry", f"s3://{BUCKET}/copy").code == 0
    assert "2" in cli("registry", "diff", place, f"s3://{BUCKET}/copy").words()
    assert cli("registry", "compact", "--registry", place).code == 0
    assert len(list(at(place).list("log"))) == 1
    assert cli("registry", "remove", base, "--registry", place).code == 0
    on("other")
    assert names() == [tuned]
    shutil.rmtree(tmp_path / "other")
    assert names() == [tuned]
    assert cli("compare", f"registry:{tuned}", kin / base, "--json").code == 4
    monkeypatch.setenv("TENSORGUARD_REGISTRY", place)
    assert cli("compare", f"registry:{tuned}", kin / base, "--json").code == 0


def test_one_that_is_open_hears_of_what_others_add(
    storage: Storage, cli: CommandLine, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{BUCKET}/known"
    cli("registry", "add", models / "llama", "--registry", place)
    with open_registry(place) as served:
        assert served.count() == 1
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
        cli("registry", "add", models / "vicuna", "--registry", place)
        assert served.count() == 1
        monkeypatch.setattr("tensorguard.registry.mirror.FRESH_SECONDS", 0.0)
        assert [entry.name for entry in served.entries()] == ["llama", "vicuna"]


def test_what_changes_while_it_is_read_is_an_error(storage: Storage, cli: CommandLine, models: Path) -> None:
    there = storage.upload(models / "llama", "models/llama")
    raw = (models / "llama/model.safetensors").read_bytes()

    def replace(key: str) -> None:
        storage.before_get = None
        storage.put("models/llama/model.safetensors", raw[:-4] + b"\x00\x00\x80\x3f")

    storage.before_get = replace
    answer = cli("fingerprint", there, "-o", "out")
    assert answer.code == 3
    assert "it was changed while it was read in 's3://bucket/models/llama/" in answer.err
    assert not list(Path("out").iterdir())


def test_trouble_that_passes_is_not_noticed_and_that_which_stays_is_told(
    storage: Storage, cli: CommandLine, models: Path
) -> None:
    there = storage.upload(models / "llama", "models/llama")
    storage.refuse = 2
    assert cli("inspect", there).code == 0
    storage.cut = 2
    object_files._opened.cache_clear()
    assert cli("fingerprint", there, "-o", "out").code == 0
    assert storage.cut == 0
    storage.refuse = 10**6
    object_files._opened.cache_clear()
    answer = cli("inspect", there)
    assert answer.code == 4
    assert "6 times in 's3://bucket/models/llama'" in answer.err


@pytest.mark.parametrize(
    ("place", "code", "message"),
    [
        ("s3://bucket/nothing", 4, "no such object, and none below it"),
        ("s3://bucket/nothing/model.safetensors", 4, "no such object, and none below it"),
        ("s3://elsewhere/model", 4, "there is no such bucket"),
        ("s3://", 4, "no address in object storage"),
        ("s3://bucket/../model", 4, "no address in object storage"),
        ("s3://-bucket-/model", 4, "no address in object storage"),
        ("s3://bucket/a\nb", 4, "no address in object storage"),
        ("s3://bucket/strange", 3, "a key is no path"),
        ("az://container/model", 3, "cannot be asked"),
    ],
)
def test_what_cannot_be_read_is_told_on_one_line(
    storage: Storage, cli: CommandLine, place: str, code: int, message: str
) -> None:
    storage.put("strange/a//b.safetensors", b"x")
    answer = cli("inspect", place)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(f"tensorguard: error: {message}")
    assert len(answer.err.splitlines()) == 2


def test_where_nothing_may_be_written_or_results_cannot_go_is_told_before_any_work(
    storage: Storage, cli: CommandLine, models: Path
) -> None:
    answer = cli("fingerprint", models / "llama", "-o", "s3://elsewhere/out")
    assert (answer.code, answer.err.split(" in ")[0]) == (4, "tensorguard: error: there is no such bucket")
    storage.put("file", b"x")
    assert cli("fingerprint", models / "llama", "-o", f"s3://{BUCKET}/file").code == 2
    assert cli("registry", "add", models / "llama", "--registry", "s3://elsewhere/known").code == 4


def test_too_long_a_listing_is_refused(storage: Storage) -> None:
    for number in range(4):
        storage.put(f"many/{number}", b"x")
    many = at(f"s3://{BUCKET}/many")
    assert len(many.list(most=4)) == 4
    with pytest.raises(InputError, match="more than 3 objects"):
        many.list(most=3)


def test_without_obstore_it_is_said_how_to_get_it(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    answer = cli("inspect", "s3://another-bucket/model")
    assert answer.code == 6
    assert "pip install 'tensorguard-llm[object]'" in answer.err


def test_only_results_and_registries_are_written_there(
    storage: Storage, cli: CommandLine, models: Path, tmp_path: Path
) -> None:
    for command in (
        ("merge", models / "llama", "-o", "s3://bucket/merged.safetensors"),
        ("inspect", models / "llama", "-o", "html=s3://bucket/page.html"),
    ):
        answer = cli(*command)
        assert answer.code == 2
        assert "'s3://bucket" in answer.err
    assert not (tmp_path / "s3:").exists()


def test_registries_there_are_told_apart_by_their_whole_address(storage: Storage, cli: CommandLine, prints: Path) -> None:
    for place in ("s3://bucket/a", "s3://bucket/b"):
        assert cli("registry", "add", next(prints.glob("*.tgfp")), "--registry", place).code == 0
    answer = cli("registry", "diff", "s3://bucket/a", "s3://bucket/b", "--json").json()
    assert [each["model"] for each in answer["inputs"]] == ["s3://bucket/a", "s3://bucket/b"]
    assert answer["result"]["same"] == 1
