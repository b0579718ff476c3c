# SPDX-License-Identifier: GPL-2.0-or-later
"""crypt(3) of the system's library, which knows whatever hashes the system has: DES, $1$, $5$, $6$, yescrypt."""

from __future__ import annotations

import ctypes
import functools
import hmac

from bpvs.model import BpvsError

_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
_SCRATCH = 256 * 1024  # struct crypt_data is 128 KiB in glibc, 32 KiB in libxcrypt


class NoCrypt(BpvsError):
    """The library is not there."""

    text = f"none of {', '.join(_LIBRARIES)} is there: passwords cannot be compared with their hashes"


def matches(password: str, hashed: str) -> bool:
    """Whether the password has this hash. A hash that crypt(3) does not know has none. NoCrypt."""
    data = ctypes.create_string_buffer(_SCRATCH)
    phrase = password.encode("utf-8", "surrogateescape")
    setting = hashed.encode("utf-8", "surrogateescape")
    if not hashed or b"\0" in phrase or b"\0" in setting:
        return False
    made = _crypt_r()(phrase, setting, data)
    # A failure is NULL, or a text with a star in front that is no hash.
    return made is not None and not made.startswith(b"*") and hmac.compare_digest(made, setting)


@functools.cache
def _crypt_r() -> ctypes._NamedFuncPointer:
    for name in _LIBRARIES:
        try:
            function = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_char_p
        function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)
        return function
    raise NoCrypt
