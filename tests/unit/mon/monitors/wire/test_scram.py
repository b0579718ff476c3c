# SPDX-License-Identifier: GPL-2.0-or-later
"""SCRAM-SHA-256 against the exchange in RFC 7677, section 3."""

from __future__ import annotations

import pytest

from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire.scram import Scram

NONCE = "rOprNGfwEbeRWgbNEkqO"
CHALLENGE = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
PROOF = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SIGNATURE = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.fixture
def scram() -> Scram:
    return Scram("pencil", NONCE, "user")


def test_the_exchange_of_the_rfc(scram: Scram) -> None:
    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert scram.final(CHALLENGE) == PROOF
    scram.verify(SIGNATURE)


def test_a_server_that_does_not_know_the_password(scram: Scram) -> None:
    scram.final(CHALLENGE)
    with pytest.raises(Sick, match="does not know the password"):
        scram.verify(b"v=AAAA")


@pytest.mark.parametrize(
    ("challenge", "sentence"),
    [
        (b"r=other,s=W22Z,i=4096", "does not continue ours"),
        (b"r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096", "does not continue ours"),
        (b"r=rOprNGfwEbeRWgbNEkqO1,s=W22Z,i=100000000", "rounds of hashing"),
        (b"r=rOprNGfwEbeRWgbNEkqO1,s=W22Z,i=-1", "rounds of hashing"),
        (b"r=rOprNGfwEbeRWgbNEkqO1,s=!,i=4096", "not base64"),
        (b"\xff\x00", "does not continue ours"),
    ],
)
def test_challenges_that_are_refused(scram: Scram, challenge: bytes, sentence: str) -> None:
    with pytest.raises(Sick, match=sentence):
        scram.final(challenge)
