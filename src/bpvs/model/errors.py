# SPDX-License-Identifier: GPL-2.0-or-later
"""The one tree of exceptions; str() of each is the line that a user reads."""

from __future__ import annotations


class BpvsError(Exception):
    """Any failure that BPVS reports on purpose."""

    text = "BPVS failed"

    def __init__(self, text: str | None = None) -> None:
        super().__init__(self.text if text is None else text)


class TableError(BpvsError):
    """The table refuses a change and nothing has changed; what ipvsadm 1.31 refuses too is said in its words."""

    text = "Invalid operation"


class ServiceExists(TableError):
    """A service with this key is in the table already."""

    text = "Service already exists"


class NoSuchService(TableError):
    """A command on a service (edit, delete, zero, list) does not find it."""

    text = "No such service"


class ServiceNotDefined(TableError):
    """A command on a server does not find the server's service."""

    text = "Service not defined"


class ServerExists(TableError):
    """The service has a server with this address and port already, whatever its method."""

    text = "Destination already exists"


class NoSuchServer(TableError):
    """The service has no server with this address and port."""

    text = "No such destination"


class UnknownScheduler(TableError):
    """The scheduler or the persistence engine does not exist."""

    text = "Scheduler or persistence engine not found"


class InvalidServer(TableError):
    """The server's address is not acceptable: not unicast, or of the wrong family."""

    text = "Invalid operation.  Possibly wrong module version, address not unicast, ..."


class OutOfRange(TableError):
    """The lower threshold of a server exceeds its upper threshold."""

    text = "Numerical result out of range"


class NoRoom(TableError):
    """The data plane cannot hold so many services or servers."""

    text = "no room"


class LocalExists(TableError):
    """The service has this local address already."""

    text = "Local address already exists"


class NoSuchLocal(TableError):
    """The service does not have this local address."""

    text = "No such local address"


class InvalidLocal(TableError):
    """No real server could answer to this local address of the service."""

    text = "Local address must be unicast, and neither loopback nor link-local"


class SynproxyMethod(TableError):
    """A service with SYNPROXY and a server whose replies would not pass the director."""

    text = "SYNPROXY needs servers with masquerading (-m) or FullNAT (-b): their replies must pass the director"


class InvalidMarkRule(BpvsError):
    """A rule that marks packets is none; the text says what is wrong, and what would be right."""

    text = "no such rule"


class InvalidNetwork(BpvsError):
    """A network is none; the text says what is wrong, and what would be right."""

    text = "no such network"


class InvalidSysctl(TableError):
    """A setting does not exist, cannot have that value, or has but one here."""

    text = "Invalid argument"


class NotBuilt(BpvsError):
    """The data plane lacks a feature that IPVS has; the text is one sentence that names it."""

    text = "this version of BPVS cannot do that yet"


class DirectorError(BpvsError):
    """Loading, permissions or the kernel failed; the text says what, on what, and what would be right."""

    text = "the data plane failed"
