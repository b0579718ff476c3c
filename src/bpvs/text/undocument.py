# SPDX-License-Identifier: GPL-2.0-or-later
"""Services' keys and servers out of what `bpvs.text.document` made of them."""

from __future__ import annotations

from bpvs.model import Address, Family, Protocol, RealServer, ServiceKey, Tunnel
from bpvs.text.document import CHECKSUM_WORDS, METHOD_WORDS, TUNNEL_WORDS
from bpvs.text.names import PROTOCOL_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeVar

    Kind = TypeVar("Kind")


def read_key(document: Mapping[str, Any]) -> ServiceKey:
    """The reverse of `key_document`; ValueError, KeyError or TypeError for what it did not make."""
    if document["fwmark"] is not None:
        return ServiceKey.marked(int(document["fwmark"]), Family[str(document["family"]).upper()])
    protocol: Protocol = _named(PROTOCOL_NAMES, document["protocol"])
    return ServiceKey.at(protocol, Address.parse(document["address"]), int(document["port"]))


def read_server(document: Mapping[str, Any]) -> RealServer:
    """The reverse of `server_document`; the same errors."""
    shape = document["tunnel"]
    tunnel = Tunnel()
    if shape is not None:
        tunnel = Tunnel(
            _named(TUNNEL_WORDS, shape["type"]), int(shape["port"] or 0), _named(CHECKSUM_WORDS, shape["checksum"])
        )
    return RealServer(
        Address.parse(document["address"]),
        int(document["port"]),
        _named(METHOD_WORDS, document["method"]),
        int(document["weight"]),
        int(document["upper_threshold"]),
        int(document["lower_threshold"]),
        tunnel,
    )


def _named(words: Mapping[Kind, str], word: object) -> Kind:
    for value, name in words.items():
        if name == word:
            return value
    raise ValueError(f"{word!r} is none of {', '.join(words.values())}")
