"""NervesHub's shared-secret authentication, `NH1`, from request headers.

The signature is a `Plug.Crypto.sign/4` token whose salt is made from the other headers; see
`NervesHub.DeviceLink` of nerves_hub_web and `docs/protocol.md`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from devices.gateway import external_term
from devices.gateway.errors import BadMessage, Refused

ALGORITHM = "NH1-HMAC-sha256-1000-32"
ROUNDS = 1000
KEY_BYTES = 32
MAX_AGE_S = 90
TOKEN_MAX_AGE_S = 86_400
PROTECTED = "SFMyNTY"  # base64 of "HS256"
_TIME = re.compile(r"[0-9]{1,12}")
_KEY = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass(frozen=True)
class Claim:
    """What a device says of itself before it is believed."""

    serial: str
    time_s: int
    time_text: str
    signature: str


def read(headers: Mapping[str, str]) -> Claim:
    """The claim in request headers (names in lower case); raises Refused with 401."""
    algorithm = headers.get("x-nh-alg", "")
    serial = headers.get("x-nh-key", "")
    time_text = headers.get("x-nh-time", "")
    signature = headers.get("x-nh-signature", "")
    if not (algorithm and serial and time_text and signature):
        raise Refused(401, "The headers x-nh-alg, x-nh-key, x-nh-time, x-nh-signature are needed.")
    if algorithm != ALGORITHM:
        raise Refused(401, f"The algorithm is not {ALGORITHM}.")
    if not _KEY.fullmatch(serial) or not _TIME.fullmatch(time_text) or len(signature) > 1024:
        raise Refused(401, "The headers x-nh-* are not of the protocol's form.")
    return Claim(serial, int(time_text), time_text, signature)


def _salt(algorithm: str, serial: str, time_text: str) -> bytes:
    return (
        "NH1:device-socket:shared-secret:connect\n\n"
        f"x-nh-alg={algorithm}\nx-nh-key={serial}\nx-nh-time={time_text}\n"
    ).encode()


def _mac(secret: str, salt: bytes, message: bytes) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ROUNDS, KEY_BYTES)
    return hmac.digest(key, message, "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadMessage("A part of the token is not URL-safe base64.") from error


def sign(secret: str, serial: str, time_s: int, *, max_age_s: int = TOKEN_MAX_AGE_S) -> str:
    """The signature a device with this secret makes at `time_s` (Unix seconds)."""
    payload = external_term.encode((serial.encode(), time_s * 1000, max_age_s))
    message = f"{PROTECTED}.{_encode(payload)}"
    mac = _mac(secret, _salt(ALGORITHM, serial, str(time_s)), message.encode())
    return f"{message}.{_encode(mac)}"


def verify(claim: Claim, secret: str | None, now_s: float) -> None:
    """Believe the claim or raise Refused with 401.

    A `secret` of None is an unknown serial: as much work is done and the same is answered, so
    that nothing is learnt about which serials exist.
    """
    message, _, mac_text = claim.signature.rpartition(".")
    protected, _, payload_text = message.partition(".")
    expected = _mac(secret or "", _salt(ALGORITHM, claim.serial, claim.time_text), message.encode())
    try:
        genuine = hmac.compare_digest(_decode(mac_text), expected)
        term = external_term.decode(_decode(payload_text)) if genuine else ()
    except BadMessage:
        genuine, term = False, ()
    if not genuine or secret is None or protected != PROTECTED:
        raise Refused(401, "The serial is unknown or the signature is not made with its secret.")
    match term:
        case (bytes() as identifier, int() as signed_at_ms, int()):
            pass
        case _:
            raise Refused(401, "The token's payload is not {identifier, time, age}.")
    if identifier != claim.serial.encode():
        raise Refused(401, "The token was signed for another device.")
    now_ms = round(now_s * 1000)
    for at_ms in (claim.time_s * 1000, signed_at_ms):
        # of integers: a signed time may be larger than any float
        if abs(now_ms - at_ms) > MAX_AGE_S * 1000:
            raise Refused(
                401, f"The token's time is more than {MAX_AGE_S} s from the Date of this answer."
            )
