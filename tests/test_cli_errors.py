"""What a command says, and its exit status, when it is interrupted or the system refuses something."""

import pytest


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (PermissionError(13, "no"), 1)])
def test_interrupts_and_refusals(call, monkeypatch, error, status):
    def fail(_):
        raise error

    monkeypatch.setattr("saree_cosface.commands.predict._run", fail)
    code, out, _ = call("predict", "run", "a.jpg")
    assert (code, out) == (status, "")


def test_errors_of_the_system_are_said_with_the_remedy(call, monkeypatch):
    for error, said in (
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "; set TMPDIR to a folder that can"),
        (
            OSError(28, "Error writing bytes to file", "a.parquet"),
            "a.parquet: no space left on device; make room there",
        ),
        (PermissionError(13, "Permission denied", "run"), "run: permission denied; allow this account to use it"),
        (
            OSError(30, "Read-only file system", "run/report.html"),
            "run/report.html: read-only file system; write elsew",
        ),
    ):

        def fail(_, error=error):
            raise error

        monkeypatch.setattr("saree_cosface.commands.predict._run", fail)
        code, _, err = call("predict", "run", "a.jpg")
        assert (code, said in err) == (1, True), err


@pytest.mark.slow
def test_errors_of_the_system_are_said_in_words(call, tmp_path):
    code, out, err = call("faces", "lfw", "--embeddings", tmp_path / "no.npz", "--pairs", tmp_path / "pairs.txt")
    assert (code, out) == (1, "")
    assert f"{tmp_path / 'pairs.txt'}: no such file or folder; it should be a list of pairs" in err
    assert "Errno" not in err
    (tmp_path / "file").touch()
    code, out, err = call("faces", "margins", "--out", tmp_path / "file")
    assert (code, f"saree-cosface: {tmp_path / 'file'}: file exists" in err) == (1, True)
