"""The certificate with which the app itself encrypts what goes over the network."""

import re
import ssl
from pathlib import Path


def check_certificate(certificate: Path, key: Path) -> None:
    """See that a server can use a certificate and its key.

    Raises:
        ValueError: one of them cannot be read or is not PEM, the key is encrypted, or they do not belong together.
    """
    for option, file, begins in (
        ("--tls-certificate", certificate, r"-----BEGIN (TRUSTED )?CERTIFICATE-----"),
        ("--tls-key", key, r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ):
        try:
            text = file.read_bytes().decode("latin-1")
        except OSError as error:
            raise ValueError(f"{option} {file}: cannot be read ({error.strerror}).") from error
        if not re.search(begins, text):
            raise ValueError(f"{option} {file}: holds none in PEM, a text with a line {_plain(begins)}.")

    def nobody() -> str:
        raise _EncryptedError

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, nobody)
    except _EncryptedError:
        raise ValueError(
            f"--tls-key {key}: is encrypted, and nobody is there to type its password when the app starts; decrypt it "
            f"with `openssl pkey -in {key} -out FILE`, and let nobody else read that."
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(f"--tls-key {key}: is not the key of {certificate}.") from error
        raise ValueError(f"{certificate} with {key}: cannot be used ({error.reason or error}).") from error


class _EncryptedError(Exception):
    pass


def _plain(pattern: str) -> str:
    return re.sub(r"\(.*?\)\?|\[.*?\]\*", "", pattern)
