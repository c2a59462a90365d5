import subprocess
import sys

import pytest

import tensorguard


@pytest.mark.parametrize("name", tensorguard.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(tensorguard, name)
    assert callable(found)
    assert found.__doc__


def test_the_package_lists_its_public_names() -> None:
    assert set(tensorguard.__all__) < set(dir(tensorguard))
    assert sorted(tensorguard.__all__) == tensorguard.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = tensorguard.nonsense


def test_importing_the_package_and_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, tensorguard, tensorguard.cli.main; print(sorted({m.split('.')[0] for m in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    heavy = {"torch", "sklearn", "scipy", "matplotlib", "numpy", "gguf", "ray", "transformers", "peft", "jinja2"}
    assert not [name for name in heavy if f"'{name}'" in found]
