"""Takes passwords and tokens out of a text that people or logs will see."""

from __future__ import annotations

import re

_SECRETS = (
    # user:password in an address; a password may hold an @ that its owner forgot to encode
    (re.compile(r"(://)[^\s/\"]+@"), r"\1***@"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]+"), r"\1***"),
    (re.compile(r"(?i)\b((?:\w*(?:token|secret|password|api_key|access_key)|key)=[\"']?)[^\s&\"']+"), r"\1***"),
)


def redacted(text: str) -> str:
    """Without passwords and tokens.

    >>> redacted("redis://:geheim@cache:6379/0 refused; Authorization: Bearer abc.def; ?key=AIza1&part=id")
    'redis://***@cache:6379/0 refused; Authorization: Bearer ***; ?key=***&part=id'
    >>> redacted("connect(host='db', password='geheim')")
    "connect(host='db', password='***')"
    """
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text
