"""The proxy that `HTTPS_PROXY` and `NO_PROXY` name, for Discord's REST API and its gateway.

aiohttp's own reading of the environment was rejected: it also takes passwords from ~/.netrc.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from shared.errors import ConfigurationError
from shared.settings import DiscordSettings


def find_proxy(settings: DiscordSettings) -> str | None:
    """Return the address of the proxy to Discord, with the user that it asks for.

    Raises:
        ConfigurationError: its address cannot be used.
    """
    target = urlsplit(settings.api_url)
    proxy = getproxies().get(target.scheme, "").strip()
    if not proxy or proxy_bypass(target.hostname or ""):
        return None
    if not re.fullmatch(r"https?://([^/]*@)?[^/@]+/?", proxy):
        name = f"{target.scheme.upper()}_PROXY"
        raise ConfigurationError(f"{name}: must look like http://proxy.example:3128, or http://user:password@…")
    return proxy
