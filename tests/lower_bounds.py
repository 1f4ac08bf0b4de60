"""Prints, as constraints for pip, the oldest releases that pyproject.toml allows and that this Python can install.

    python tests/lower_bounds.py > constraints.txt

A bound that no release here meets exactly, since it was not built for this Python or this processor, gives way to the
next release above it, which is told on stderr. What has no lower bound, and the tools of developers, are not held back.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
LOWER = (">=", "==", "~=", ">")


def main() -> None:
    """Print a constraint for each requirement that has a lower bound."""
    for requirement in requirements(PYPROJECT.read_text(encoding="utf-8")):
        if not any(bound.operator in LOWER for bound in requirement.specifier):
            continue
        found = oldest(requirement, released(requirement.name))
        print(f"{requirement.name}=={found}")
        if not any(Version(bound.version) == found for bound in requirement.specifier):
            print(f"{requirement}: {found} is the oldest that can be installed here", file=sys.stderr)


def requirements(pyproject: str) -> list[Requirement]:
    """What the package and its extras need.

    >>> [str(each) for each in requirements("[project]\\ndependencies = ['a>=1']\\noptional-dependencies = {x = ['b']}")]
    ['a>=1', 'b']
    """
    project = tomllib.loads(pyproject)["project"]
    extras = (each for extra in project.get("optional-dependencies", {}).values() for each in extra)
    return [Requirement(each) for each in (*project["dependencies"], *extras)]


def oldest(requirement: Requirement, versions: Iterable[Version]) -> Version:
    """The oldest release that is allowed.

    Raises:
        ValueError: none is.

    >>> oldest(Requirement("a>=1.2,!=1.2.1"), map(Version, ("1.2.1", "1.2.3", "1.3", "1.2.2rc1", "1.1")))
    <Version('1.2.3')>
    """
    allowed = list(requirement.specifier.filter(versions))
    if not allowed:
        raise ValueError(f"{requirement}: no release that this Python can install; see to the bound, or take another.")
    return min(allowed)


def released(name: str) -> list[Version]:
    """The releases that come as a wheel for this Python and processor."""
    asked = [sys.executable, "-m", "pip", "index", "versions", name, "--only-binary", ":all:"]
    said = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout
    listed = re.search("Available versions: (.*)", said)
    return [Version(version) for version in listed[1].split(", ")] if listed else []


if __name__ == "__main__":
    main()
