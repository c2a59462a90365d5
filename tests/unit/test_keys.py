"""Key files: every byte counts, and too few of them are refused."""

from pathlib import Path

import pytest

from tensorguard.api.fingerprints import Settings
from tensorguard.api.keys import read_key
from tensorguard.cli.options import key
from tensorguard.errors import InputError, NotFoundError
from tensorguard.probes.rademacher import PUBLIC


def test_all_bytes_are_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for secret in (b"\0" * 16, bytes(range(256)), b"sixteen secret b\n", b"k" * 4096):
        path.write_bytes(secret)
        assert read_key(path).secret == secret
        assert key(path) == read_key(path)
    assert key(None) == PUBLIC


@pytest.mark.parametrize("size", [0, 15, 4097])
def test_too_few_or_too_many_bytes(tmp_path: Path, size: int) -> None:
    (tmp_path / "key").write_bytes(b"k" * size)
    with pytest.raises(InputError, match=f"16 to 4096 bytes, this one {size}") as caught:
        read_key(tmp_path / "key")
    assert caught.value.where == str(tmp_path / "key")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_key(tmp_path / "none")
    with pytest.raises((InputError, NotFoundError)):
        read_key(tmp_path)


def test_settings_do_not_show_the_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"sixteen secret bytes")
    settings = Settings(key=read_key(tmp_path / "key"))
    assert "secret b" not in f"{settings} {settings.described()}"
    assert settings.described()["key"] == settings.key.identity() != "public"
