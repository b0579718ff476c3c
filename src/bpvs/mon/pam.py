# SPDX-License-Identifier: GPL-2.0-or-later
"""A user's password by PAM (pam(3)): authentication alone, as mon does it; blocks as long as the modules do."""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING

from bpvs.model import BpvsError

if TYPE_CHECKING:
    from collections.abc import Callable

_LIBRARY = "libpam.so.0"
# Numbers of <security/_pam_types.h>
_SUCCESS, _CONVERSATION_ERROR = 0, 19
_PROMPT_ECHO_OFF, _PROMPT_ECHO_ON = 1, 2
_FAIL_DELAY = 10
_RHOST = 4


class NoPam(BpvsError):
    """The library is not there, or PAM cannot be begun."""

    text = f"{_LIBRARY} is not there: authtype pam lets nobody in"


class _Message(ctypes.Structure):
    _fields_ = (("style", ctypes.c_int), ("text", ctypes.c_char_p))


class _Response(ctypes.Structure):
    # A pointer that is no c_char_p: Python would free what PAM frees.
    _fields_ = (("text", ctypes.c_void_p), ("code", ctypes.c_int))


_CONVERSE = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(_Message)),
    ctypes.POINTER(ctypes.POINTER(_Response)),
    ctypes.c_void_p,
)
_DELAY = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)


class _Conversation(ctypes.Structure):
    _fields_ = (("converse", _CONVERSE), ("data", ctypes.c_void_p))


def authenticate(
    user: str, password: str, *, service: str = "passwd", address: str = "", folder: str | None = None
) -> bool:
    """Whether the stack `service` of `folder`, of /etc/pam.d without one, takes the password. NoPam.

    `address` is the client's, for modules that ask. A failure is not delayed here: the protocol does that.
    """
    name, secret = (text.encode("utf-8", "surrogateescape") for text in (user, password))
    if b"\0" in name or b"\0" in secret:
        return False
    pam, libc = _libraries()
    converse = _CONVERSE(functools.partial(_answer, libc, name, secret))
    conversation = _Conversation(converse, None)
    handle = ctypes.c_void_p()
    begun = _start(pam, folder)(service.encode(), name, ctypes.byref(conversation), ctypes.byref(handle))
    if begun != _SUCCESS:
        raise NoPam(f"PAM cannot be begun for service {service}: error {begun}")
    no_delay = _DELAY(lambda *_: None)
    pam.pam_set_item(handle, _FAIL_DELAY, ctypes.cast(no_delay, ctypes.c_void_p))
    if address:
        pam.pam_set_item(handle, _RHOST, address.encode())
    result = int(pam.pam_authenticate(handle, 0))
    pam.pam_end(handle, result)
    return result == _SUCCESS


def _start(pam: ctypes.CDLL, folder: str | None) -> Callable[..., int]:
    if folder is None:
        return pam.pam_start
    return lambda *arguments: int(pam.pam_start_confdir(*arguments[:3], folder.encode(), arguments[3]))


def _answer(
    libc: ctypes.CDLL,
    user: bytes,
    password: bytes,
    count: int,
    messages: ctypes._Pointer[ctypes._Pointer[_Message]],
    responses: ctypes._Pointer[ctypes._Pointer[_Response]],
    _data: int | None,
) -> int:
    """What modules ask for: the password where nothing is to be seen, else the name. PAM frees what is answered."""
    memory = libc.calloc(count, ctypes.sizeof(_Response))
    if not memory:
        return _CONVERSATION_ERROR
    answers = ctypes.cast(memory, ctypes.POINTER(_Response))
    for index in range(count):
        style = messages[index].contents.style
        if style in (_PROMPT_ECHO_OFF, _PROMPT_ECHO_ON):
            answers[index].text = libc.strdup(password if style == _PROMPT_ECHO_OFF else user)
    responses[0] = answers
    return _SUCCESS


@functools.cache
def _libraries() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    try:
        pam = ctypes.CDLL(_LIBRARY)
    except OSError:
        raise NoPam from None
    pointer = ctypes.c_void_p
    pam.pam_start.argtypes = (ctypes.c_char_p, ctypes.c_char_p, pointer, pointer)
    pam.pam_start_confdir.argtypes = (ctypes.c_char_p, ctypes.c_char_p, pointer, ctypes.c_char_p, pointer)
    pam.pam_set_item.argtypes = (pointer, ctypes.c_int, pointer)
    pam.pam_authenticate.argtypes = (pointer, ctypes.c_int)
    pam.pam_end.argtypes = (pointer, ctypes.c_int)
    libc = ctypes.CDLL(None)
    libc.calloc.argtypes = (ctypes.c_size_t, ctypes.c_size_t)
    libc.strdup.argtypes = (ctypes.c_char_p,)
    libc.calloc.restype = libc.strdup.restype = pointer
    return pam, libc
