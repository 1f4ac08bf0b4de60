"""What `--help` teaches of each command."""

import pytest

from saree_cosface.cli import command_line, outline

COMMANDS = (
    "loom",
    "data import",
    "data check",
    "train",
    "evaluate",
    "compare",
    "predict",
    "enrol",
    "enrolments",
    "export",
)
COMMANDS += ("demo", "backbones", "calibrate", "curve", "next", "audit", "report", "app", "accounts")


def test_the_help_says_of_each_command_what_its_module_says():
    assert outline().format_help() == command_line()[0].format_help()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(call, command):
    code, out, _ = call(*command.split(), "--help")
    assert code == 0
    assert "--" in out
    assert len(out.splitlines()) > 8
    assert "None)" not in out.replace("default: null", "")


def test_help_describes_every_option_of_training(call):
    _, out, _ = call("train", "--help")
    out = out.split("options:", 1)[1]  # after the usage, which names them all
    for option in ("--data.manifest", "--optim.patience", "--head.margin", "--model.trainable_stages", "--resume"):
        described = out.split(option, 1)[1][:200]
        assert len(described.split("\n  --")[0].split()) > 5, option
