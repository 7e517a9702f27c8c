"""Who we are to Cassandra, and whom we believe to be it."""

from __future__ import annotations

import ssl
from typing import Any

from cassandra.auth import PlainTextAuthProvider

from kolray.errors import SettingsError
from kolray.settings import MetricsStoreSettings


def identity(settings: MetricsStoreSettings) -> dict[str, Any]:
    """Options of the driver's ``Cluster``; none where the settings name neither a user nor TLS.

    Raises:
        SettingsError: a password without a user or the reverse.
    """
    options: dict[str, Any] = {}
    if bool(settings.username) != bool(settings.password):
        raise SettingsError("set both KOLRAY_METRICS__USERNAME and KOLRAY_METRICS__PASSWORD, or neither")
    if settings.username and settings.password:
        options["auth_provider"] = PlainTextAuthProvider(settings.username, settings.password.get_secret_value())
    if settings.tls:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
        options["ssl_context"] = context
    return options
