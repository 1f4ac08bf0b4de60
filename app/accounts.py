"""Accounts: who may log in, from a file with a line ``name:password`` or ``name:HASH`` each.

``saree-cosface accounts FILE NAME`` asks for a password and adds the line with its hash (scrypt). That is better:
whoever reads the file cannot log in with it.
"""

import getpass
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

from saree_cosface.files import write_text

SHORTEST = 8
"""Characters of a password that is asked for."""

_PREFIX = "scrypt$"
_COST = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


def read_accounts(path: Path) -> Callable[[str, str], bool]:
    """Whether a name and a password belong together, by the lines of a file; those that begin with # are remarks.

    Raises:
        ValueError: the file cannot be read, has a line without a name or password, or names nobody.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); give a file with a line name:password each.") from error
    accounts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, secret = line.strip().partition(":")
        if not name or not secret:
            raise ValueError(
                f"{path}, line {number}: must be name:password, or name:HASH as `saree-cosface accounts` writes it."
            )
        if name in accounts:
            raise ValueError(f"{path}, line {number}: {name!r} is there already; keep one line.")
        accounts[name] = secret if secret.startswith(_PREFIX) else hash_of(secret)
    if not accounts:
        raise ValueError(f"{path}: names nobody, so nobody could log in.")
    nobody = hash_of(secrets.token_hex(16))  # as slow for a name that does not exist

    def known(name: str, password: str) -> bool:
        return _matches(password, accounts.get(name, nobody))

    return known


def hash_of(password: str, salt: str = "") -> str:
    """The hash of a password as it stands in the file, ``scrypt$SALT$HEX``."""
    salt = salt or secrets.token_hex(16)
    digest = hashlib.scrypt(password.encode(), salt=salt.encode(), **_COST)
    return f"{_PREFIX}{salt}${digest.hex()}"


def _matches(password: str, known: str) -> bool:
    salt = known.removeprefix(_PREFIX).partition("$")[0]
    return secrets.compare_digest(hash_of(password[:1000], salt), known)


def add_account(file: Path, name: str) -> None:
    """Ask for a password, and add an account to a file, or change its password.

    Raises:
        ValueError: that can be no name, no password or too short a one was typed, or the file is no text.
        OSError: the file cannot be read or written.
    """
    if not name or ":" in name or name.startswith("#") or len(name.splitlines()) > 1:
        raise ValueError(f"{name!r} can be no name: it must not be empty, hold a colon or begin with #.")
    try:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("Once more: ") if password else ""
    except EOFError as error:
        raise ValueError("no password could be asked for: run this in a terminal; nothing was changed.") from error
    if not password or again != password:
        raise ValueError("the password was empty, or not the same twice; nothing was changed.")
    if len(password) < SHORTEST:
        raise ValueError(f"a password needs at least {SHORTEST} characters, such as some words; nothing was changed.")
    try:
        before = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not text, so no file of accounts; name another.") from error
    kept = [line for line in before if not line.startswith(f"{name}:")]
    write_text(file, "\n".join([*kept, f"{name}:{hash_of(password)}"]) + "\n")
    file.chmod(0o600)
