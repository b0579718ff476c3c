# SPDX-License-Identifier: GPL-2.0-or-later
"""What the options of one command line have said so far; each value is checked when its option is met."""

from __future__ import annotations

from bpvs.model import NO_TUNNEL, Address, Family, Method, Protocol, ServiceKey, Tunnel, TunnelChecksum, TunnelType
from bpvs.text.endpoint import parse_endpoint, parse_host
from bpvs.text.errors import UsageError
from bpvs.text.integers import INT_MAX, UINT_MAX, leading_integer, parse_integer
from bpvs.text.names import Resolver
from bpvs.text.options import GROUPS

METHODS = {"masquerading": Method.NAT, "ipip": Method.TUNNEL, "gatewaying": Method.ROUTE, "fullnat": Method.FULLNAT}
TUNNEL_TYPES = {"ipip": TunnelType.IPIP, "gue": TunnelType.GUE, "gre": TunnelType.GRE}
_CHECKSUMS = {"tun-csum": TunnelChecksum.FULL, "tun-remcsum": TunnelChecksum.REMOTE}
DEFAULT_PERSISTENCE = 360  # seconds; the manual page of ipvsadm 1.31 says 300, the program does 360
MAX_PERSISTENCE = 31 * 86400
IPV4_FULL, IPV6_FULL = UINT_MAX, 128

# option: (attribute, lowest, highest, what the message calls it)
_NUMBERS = {
    "weight": ("weight", 0, INT_MAX, "weight"),
    "u-threshold": ("upper", 0, INT_MAX, "u_threshold"),
    "l-threshold": ("lower", 0, INT_MAX, "l_threshold"),
    "tun-port": ("tunnel_port", 1, 65535, "tunnel port"),
    "syncid": ("syncid", 0, 255, "syncid"),
    "sync-maxlen": ("maxlen", 1, 65507, "sync-maxlen"),
    "mcast-port": ("mcast_port", 1, 65535, "mcast-port"),
    "mcast-ttl": ("ttl", 1, 255, "mcast-ttl"),
}
# option: (attribute, longest name kept)
_TEXTS = {
    "scheduler": ("scheduler", 15),
    "pe": ("engine", 16),
    "mcast-interface": ("interface", 15),
    "sched-flags": ("flag_list", None),
}
_PROTOCOLS = {"tcp-service": Protocol.TCP, "udp-service": Protocol.UDP, "sctp-service": Protocol.SCTP}


class Draft:
    """Collects options in the order of the command line, which matters: `-r` takes its port from an earlier `-t`."""

    _family = Family.IPV4
    _protocol: Protocol | None = None
    _address: Address | None = None
    _port = 0
    _fwmark = 0
    scheduler = engine = flag_list = ""
    flags = 0
    persistence: int | None = None
    _mask = IPV4_FULL
    ops = False
    synproxy = False
    local: Address | None = None
    _server: Address | None = None
    server_port = 0
    method = "gatewaying"
    weight, upper, lower = 1, 0, 0
    tunnel_type, tunnel_port, _checksum = "ipip", 0, TunnelChecksum.NONE
    interface, group = "eth0", ""
    syncid = maxlen = mcast_port = ttl = 0

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.given: set[str] = set()

    def take(self, option: str, value: str | None) -> None:
        """Note one option; UsageError if its value is wrong or it has been there before."""
        if option == "sort":
            return
        if option == "ipv6":
            self._take_ipv6()
            return
        name = GROUPS.get(option, option)
        if name in self.given:
            raise UsageError(f"multiple '{name}' options specified")
        self.given.add(name)
        text = value or ""
        if option in _NUMBERS:
            attribute, lowest, highest, spoken = _NUMBERS[option]
            setattr(self, attribute, _number(text, lowest, highest, f"illegal {spoken} specified"))
        elif option in _TEXTS:
            attribute, room = _TEXTS[option]
            setattr(self, attribute, text[:room])
        elif option in _PROTOCOLS:
            self._take_service(_PROTOCOLS[option], text)
        elif option in METHODS:
            self.method = option
        elif option in _CHECKSUMS:
            self._checksum = _CHECKSUMS[option]
        else:
            self._take_other(option, value, text)

    def _take_other(self, option: str, value: str | None, text: str) -> None:
        """The options that only leave a mark in `given` fall through."""
        match option:
            case "persistent":
                self._take_persistence(value)
            case "fwmark-service":
                self._take_fwmark(text)
            case "netmask":
                self._take_netmask(text)
            case "real-server":
                self._take_server(text)
            case "ops":
                self.ops = True
            case "synproxy":
                self._take_synproxy(text)
            case "local-address" | "laddr":
                self._take_local(text)
            case "tun-type":
                self._take_tunnel_type(text)
            case "mcast-group":
                self._take_group(text)

    def _take_ipv6(self) -> None:
        if not self._fwmark:
            raise UsageError("-6 used before -f\n")
        self._family, self._mask = Family.IPV6, IPV6_FULL

    def _take_service(self, protocol: Protocol, text: str) -> None:
        self._protocol = protocol
        found = parse_endpoint(text, protocol, self._resolver)
        if found is None:
            raise UsageError("illegal virtual server address[:port] specified")
        self._address, port = found
        self._port = port or 0
        self._family = self._address.family
        if self._family == Family.IPV6:
            self._mask = IPV6_FULL

    def _take_fwmark(self, text: str) -> None:
        self._family = Family.IPV4
        self._fwmark = _number(text, 1, UINT_MAX, f"invalid fwmark value `{text}' specified")

    def _take_persistence(self, value: str | None) -> None:
        wrong = f"invalid timeout value `{value}' specified"
        self.persistence = DEFAULT_PERSISTENCE if value is None else _number(value, 1, MAX_PERSISTENCE, wrong)

    def _take_netmask(self, text: str) -> None:
        if self._family == Family.IPV6:
            self._mask = leading_integer(text)
            if not 1 <= self._mask <= IPV6_FULL:
                raise UsageError("illegal ipv6 netmask specified")
            return
        mask = parse_host(text, self._resolver)
        if mask is None:
            raise UsageError("illegal virtual server persistent mask specified")
        self._mask = int.from_bytes(mask.packed, "big")

    def _take_server(self, text: str) -> None:
        found = parse_endpoint(text, self._protocol, self._resolver)
        if found is None:
            raise UsageError("illegal real server address[:port] specified")
        self._server, port = found
        self.server_port = self._port if port is None else port

    def _take_synproxy(self, text: str) -> None:
        if text not in ("enable", "disable"):
            raise UsageError(f"invalid synproxy value `{text}' specified; right would be enable or disable")
        self.synproxy = text == "enable"

    def _take_local(self, text: str) -> None:
        found = parse_endpoint(text, None, self._resolver)
        if found is None or found[1] is not None:
            raise UsageError("illegal local address specified")
        self.local = found[0]

    def _take_tunnel_type(self, text: str) -> None:
        if text not in TUNNEL_TYPES:
            raise UsageError("illegal tunnel type specified")
        self.tunnel_type = text

    def _take_group(self, text: str) -> None:
        wanted = "IPv6" if ":" in text else "IPv4"
        try:
            first = Address.parse(text).packed[0]
        except ValueError:
            first = 0
        if not (first == 0xFF if wanted == "IPv6" else 224 <= first <= 239):
            raise UsageError(f"invalid {wanted} mcast-group `{text}'")
        self.group = text

    def key(self) -> ServiceKey:
        """The service that the command names."""
        if self._fwmark:
            return ServiceKey.marked(self._fwmark, self._family)
        return ServiceKey(self._family, self._protocol, self._address, self._port)

    def netmask(self) -> int | None:
        """The mask for the model, where None is the full one."""
        full = IPV6_FULL if self._family == Family.IPV6 else IPV4_FULL
        return None if self._mask == full else self._mask

    def server_address(self) -> Address:
        """The address of `-r`, which the commands that ask for it cannot lack."""
        if self._server is None:
            raise UsageError("illegal real server address[:port] specified")
        return self._server

    def tunnel(self) -> Tunnel:
        """The tunnel settings as given."""
        if self.method != "ipip":
            return NO_TUNNEL
        return Tunnel(TUNNEL_TYPES[self.tunnel_type], self.tunnel_port, self._checksum)


def _number(text: str, lowest: int, highest: int, wrong: str) -> int:
    number = parse_integer(text, lowest, highest)
    if number is None:
        raise UsageError(wrong)
    return number
