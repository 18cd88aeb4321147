from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from devices.gateway import external_term, nh1
from devices.gateway.errors import BadMessage, Refused

SECRET = "k7Zb0Jc2rXxQk0lmY3m0m2W9tq4o8d1vJ6uQeRtYuIo"
SERIAL = "000000000001"
TIME_S = 1_700_000_000
# worked out with OpenSSL and Erlang's rules, not with this module; see docs/protocol.md
TOKEN = (
    "SFMyNTY.g2gDbQAAAAwwMDAwMDAwMDAwMDFuBgAAaOXPiwFiAAFRgA."
    "FH-VvKtDu2r9rQI5PNDBTArdeNA-TKsda3lAI4qsEsI"
)
VECTORS = Path(__file__).parents[1] / "guest" / "vectors.json"


def headers(**other: str) -> dict[str, str]:
    return {
        "x-nh-alg": nh1.ALGORITHM,
        "x-nh-key": SERIAL,
        "x-nh-time": str(TIME_S),
        "x-nh-signature": TOKEN,
        **{name.replace("_", "-"): value for name, value in other.items()},
    }


def test_it_makes_the_token_of_the_vector() -> None:
    assert nh1.sign(SECRET, SERIAL, TIME_S) == TOKEN


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text())["nh1"])
def test_it_makes_and_believes_the_tokens_the_device_makes(vector: dict[str, Any]) -> None:
    serial, secret, time_s = vector["serial"], vector["secret"], vector["time"]
    assert nh1.sign(secret, serial, time_s) == vector["signature"]
    given = headers(x_nh_key=serial, x_nh_time=str(time_s), x_nh_signature=vector["signature"])
    nh1.verify(nh1.read(given), secret, time_s)


@pytest.mark.parametrize("off_s", [-90, -1, 0, 1, 90])
def test_a_genuine_claim_is_believed_within_90_s(off_s: int) -> None:
    nh1.verify(nh1.read(headers()), SECRET, TIME_S + off_s)


@pytest.mark.parametrize("off_s", [-91, 91, 10**6])
def test_a_clock_that_is_further_off_is_refused(off_s: int) -> None:
    with pytest.raises(Refused, match="time is more than 90 s") as refusal:
        nh1.verify(nh1.read(headers()), SECRET, TIME_S + off_s)
    assert refusal.value.status == 401


def test_a_wrong_secret_and_an_unknown_serial_are_answered_alike() -> None:
    sentences = []
    for secret in (SECRET[::-1], None):
        with pytest.raises(Refused) as refusal:
            nh1.verify(nh1.read(headers()), secret, TIME_S)
        sentences.append((refusal.value.status, str(refusal.value)))
    assert sentences[0] == sentences[1]
    assert sentences[0][0] == 401


def test_an_unknown_serial_is_refused_whatever_it_signs_with() -> None:
    given = headers(x_nh_signature=nh1.sign("", SERIAL, TIME_S))
    with pytest.raises(Refused):
        nh1.verify(nh1.read(given), None, TIME_S)


def test_a_token_of_another_device_is_refused_even_with_the_same_secret() -> None:
    with pytest.raises(Refused):
        nh1.verify(nh1.read(headers(x_nh_key="000000000002")), SECRET, TIME_S)


def test_a_token_whose_payload_names_another_device_is_refused() -> None:
    claim = nh1.read(headers())
    other = external_term.encode((b"000000000002", TIME_S * 1000, 86_400))
    message = "SFMyNTY." + base64.urlsafe_b64encode(other).decode().rstrip("=")
    mac = nh1._mac(SECRET, nh1._salt(nh1.ALGORITHM, SERIAL, str(TIME_S)), message.encode())
    token = f"{message}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    with pytest.raises(Refused, match="another device"):
        nh1.verify(nh1.Claim(claim.serial, TIME_S, claim.time_text, token), SECRET, TIME_S)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_time_beyond_all_floats_is_refused(sign: int) -> None:
    payload = external_term.encode((SERIAL.encode(), sign * (256**255 - 1), 86_400))
    message = "SFMyNTY." + base64.urlsafe_b64encode(payload).decode().rstrip("=")
    mac = nh1._mac(SECRET, nh1._salt(nh1.ALGORITHM, SERIAL, str(TIME_S)), message.encode())
    token = f"{message}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    with pytest.raises(Refused, match="time is more than 90 s"):
        nh1.verify(nh1.Claim(SERIAL, TIME_S, str(TIME_S), token), SECRET, TIME_S)


@pytest.mark.parametrize(
    "signature", ["x", "a.b.c", "SFMyNTY..", TOKEN[:-1] + "A", TOKEN + "A", "SFMyNTY.é.é"]
)
def test_a_broken_signature_is_refused(signature: str) -> None:
    with pytest.raises(Refused):
        nh1.verify(nh1.read(headers(x_nh_signature=signature)), SECRET, TIME_S)


@pytest.mark.parametrize(
    "other",
    [
        {"x_nh_alg": ""},
        {"x_nh_alg": "NH1-HMAC-sha256-1-32"},
        {"x_nh_key": ""},
        {"x_nh_key": "x" * 65},
        {"x_nh_key": "a b"},
        {"x_nh_time": "soon"},
        {"x_nh_time": "-5"},
        {"x_nh_time": "9" * 13},
        {"x_nh_signature": ""},
        {"x_nh_signature": "x" * 1025},
    ],
)
def test_headers_of_another_form_are_refused(other: dict[str, str]) -> None:
    with pytest.raises(Refused) as refusal:
        nh1.read(headers(**other))
    assert refusal.value.status == 401


@pytest.mark.parametrize(
    "term", [0, 255, 256, -1, 2**31 - 1, 2**31, -(2**31) - 1, 2**64, b"", b"ab", (1, (b"x",))]
)
def test_terms_are_read_as_they_are_written(term: external_term.Term) -> None:
    assert external_term.decode(external_term.encode(term)) == term


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x83",
        b"\x82a\x01",
        b"\x83a",
        b"\x83a\x01a",
        b"\x83m\xff\xff\xff\xff",
        b"\x83k",
        b"\x83" + b"h\x01" * 9 + b"a\x01",
        b"\x83h\xff",
    ],
)
def test_other_terms_are_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        external_term.decode(data)
