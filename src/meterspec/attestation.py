"""Signatures: a statement in a DSSE envelope, signed and verified with an Ed25519 key from a PEM file.

An Ed25519 signature of the same bytes with the same key is the same bytes, so a signed build is as reproducible as one
that is not signed. Nothing here reaches for a network, and no key is ever written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from meterspec.diagnostics import Failure, Rule

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

__all__ = ["PAYLOAD_TYPE", "payload", "public_key", "signer"]

BAD_KEY = Rule(
    code="MS052",
    slug="unusable-key",
    title="A key that cannot sign or verify",
    message="`{path}` {fault}",
    why="Builds are signed with a private Ed25519 key in PKCS#8 PEM, without a password, and verified with its public "
    "one: `openssl genpkey -algorithm ed25519 -out key.pem`, `openssl pkey -in key.pem -pubout -out pub.pem`.",
)
NO_SIGNING = Rule(
    code="MS053",
    slug="signing-not-installed",
    title="A signature, and no library for it",
    message="signatures need a package that is not installed",
    why="Only those who sign or verify have to have it.",
)

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def signer(path: Path) -> Callable[[bytes], str]:
    """What gives the envelope around a payload, signed with the private key of a file; raises MS052 or MS053."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
        from securesystemslib.dsse import Envelope  # noqa: PLC0415
        from securesystemslib.signer import CryptoSigner  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed() from error
    try:
        key = load_pem_private_key(_bytes_of(path), password=None)
    except (ValueError, TypeError) as error:
        hint = "a password cannot be given: keep the key in the secret store of your CI"
        fault = "has a password" if isinstance(error, TypeError) else "holds no private key in PEM"
        raise Failure(BAD_KEY, path=path, fault=fault, hint=hint if isinstance(error, TypeError) else None) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Failure(BAD_KEY, path=path, fault="holds a key of another kind than Ed25519")

    def sign(data: bytes) -> str:
        envelope = Envelope(data, PAYLOAD_TYPE, {})
        envelope.sign(CryptoSigner(key))
        return json.dumps(envelope.to_dict(), indent=2, sort_keys=True) + "\n"

    return sign


def public_key(path: Path) -> SSlibKey:
    """The public key of a file; raises MS052 or MS053."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415
        from securesystemslib.signer import SSlibKey  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed() from error
    data = _bytes_of(path)
    try:
        key = load_pem_public_key(data)
    except ValueError as error:
        hint = "it is a private key: give the public one" if b"PRIVATE KEY" in data else None
        raise Failure(BAD_KEY, path=path, fault="holds no public key in PEM", hint=hint) from error
    if not isinstance(key, Ed25519PublicKey):
        raise Failure(BAD_KEY, path=path, fault="holds a key of another kind than Ed25519")
    return SSlibKey.from_crypto(key)


def payload(envelope: bytes, key: SSlibKey) -> bytes | None:
    """What an envelope holds, where its signature is by this key; None where it is not, or the envelope is none."""
    from securesystemslib.dsse import Envelope  # noqa: PLC0415
    from securesystemslib.exceptions import FormatError, VerificationError  # noqa: PLC0415

    try:
        found = Envelope.from_dict(json.loads(envelope))
        found.verify([key], 1)
    except (ValueError, KeyError, TypeError, AttributeError, FormatError, VerificationError):
        return None
    return found.payload if found.payload_type == PAYLOAD_TYPE else None


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failure(BAD_KEY, path=path, fault=f"cannot be read: {error.strerror or error}") from error


def _not_installed() -> Failure:
    return Failure(NO_SIGNING, hint="pip install 'meterspec[sign]'")
