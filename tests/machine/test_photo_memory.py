import pytest

from saree_cosface.cli import main
from saree_cosface.machine import photo_memory
from tests.helpers import bad_photos as bad


@pytest.mark.parametrize(
    ("amount", "size"),
    [
        ("4GB", 4_000_000_000),
        ("1.5 gb", 1_500_000_000),
        ("500M", 500_000_000),
        ("64 MiB", 64_000_000),
        ("2000000", 2_000_000),
    ],
)
def test_the_variable_says_how_much(amount, size, monkeypatch):
    monkeypatch.setenv(photo_memory.VARIABLE, amount)
    assert photo_memory.limit() == size
    monkeypatch.delenv(photo_memory.VARIABLE)
    assert photo_memory.limit() == photo_memory.DEFAULT


@pytest.mark.parametrize("amount", ["", "much", "-1GB", "0", "0.1", "4", "900k", "1e9", "٤GB", "4 PB"])
def test_what_is_no_amount_is_refused(amount, monkeypatch):
    monkeypatch.setenv(photo_memory.VARIABLE, "1GB")
    with pytest.raises(photo_memory.PhotoMemoryError, match=r"--photo-memory is .*500MB"):
        photo_memory.use(amount)
    assert photo_memory.limit() == 1_000_000_000
    monkeypatch.setenv(photo_memory.VARIABLE, amount)
    with pytest.raises(photo_memory.PhotoMemoryError, match=photo_memory.VARIABLE):
        photo_memory.use()


def test_the_option_goes_before_the_variable_and_names_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(photo_memory.VARIABLE, "4GB")
    bad.save(tmp_path / "patola" / "a.png", bad.textured(800, 600))
    call = ["data", "import", str(tmp_path), "--out", str(tmp_path / "manifest.csv")]
    for amount, code in (("1MB", 1), ("100MB", 0)):
        with pytest.raises(SystemExit) as left:
            main([*call, "--photo-memory", amount])
        assert left.value.code == code
        assert ("more than the 1 MB allowed" in capsys.readouterr().err) == (code == 1)
