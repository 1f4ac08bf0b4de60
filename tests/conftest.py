"""The command, called in the process of the tests."""

import pytest

from saree_cosface.cli import main


@pytest.fixture
def call(capsys):
    """Runs a command; returns its exit status, stdout and stderr (in one line)."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return stopped.value.code or 0, out, " ".join(err.split())

    return run
