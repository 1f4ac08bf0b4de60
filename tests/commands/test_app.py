import importlib
import sys

import pytest

from app.accounts import read_accounts
from saree_cosface.cli import main
from saree_cosface.commands import app


def test_an_account_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("getpass.getpass", lambda _: "nine looms")
    for name, code in (("asha", 0), ("a:b", 1)):
        with pytest.raises(SystemExit) as stopped:
            main(["accounts", str(tmp_path / "accounts"), name])
        assert stopped.value.code == code
    assert "'a:b' can be no name" in capsys.readouterr().err
    assert read_accounts(tmp_path / "accounts")("asha", "nine looms")


def test_the_app_of_an_installed_package_lies_within_it(tmp_path, monkeypatch):
    inside = tmp_path / "app"
    inside.mkdir()
    (inside / "__init__.py").touch()
    (inside / "accounts.py").write_text("WHERE = 'within'\n")
    monkeypatch.setattr("saree_cosface.__path__", [*importlib.import_module("saree_cosface").__path__, str(tmp_path)])
    importlib.invalidate_caches()
    try:
        assert app._of_the_app("accounts").WHERE == "within"
    finally:
        for name in [name for name in sys.modules if name.startswith("saree_cosface.app")]:
            del sys.modules[name]
        importlib.import_module("saree_cosface").__dict__.pop("app", None)
