"""The API server's address and the login to it, by the official client's rules."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes.aio.client import Configuration as Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config
from kubernetes.aio.config.kube_config import KubeConfigLoader, KubeConfigMerger

from shared.errors import ConfigurationError

LOGIN_TIMEOUT = 10.0
"""Seconds."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def load_configuration() -> Configuration:
    """Return the configuration of `KUBECONFIG`, else of the pod's service account, else of ~/.kube/config.

    Call it in a thread, because it reads files and runs plugins. Call it again after a 401, because credentials expire.

    Raises:
        ConfigurationError: there is none, or it cannot be used.
    """
    configuration = Configuration(host="", retries=None)
    # Python 3.13 requires certificate extensions that the authorities of many clusters lack, EKS among them.
    # Source: https://github.com/kubernetes-client/python/issues/2394
    configuration.disable_strict_ssl_verification = True
    configuration.client_session_kwargs = {"trust_env": False}  # like Kopf: a proxy is named by the kubeconfig only
    try:
        if not os.environ.get("KUBECONFIG") and SERVICE_ACCOUNT.is_file():
            load_incluster_config(configuration, try_refresh_token=False)
        else:
            with asyncio.Runner(loop_factory=_PluginLoop) as runner:
                runner.run(_load(_read_kubeconfig(), configuration))
    except TimeoutError as error:
        raise ConfigurationError(f"KUBECONFIG: its login plugin took more than {LOGIN_TIMEOUT:g} s") from error
    except (ConfigException, OSError, ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError) as error:
        raise ConfigurationError(f"KUBECONFIG: cannot be used: {' '.join(str(error).split())}") from error
    _check(configuration)
    return configuration


def _read_kubeconfig() -> KubeConfigLoader:
    setting = os.environ.get("KUBECONFIG")
    paths = [os.path.expanduser(path) for path in (setting or "~/.kube/config").split(os.pathsep) if path]
    if missing := [path for path in paths if not os.path.isfile(path)]:
        raise ConfigurationError(
            f"KUBECONFIG: No such file: {', '.join(missing)}"
            if setting
            else "KUBECONFIG: is not set, and this is no pod with a service account; name the kubeconfig of a cluster"
        )
    merged = KubeConfigMerger(os.pathsep.join(paths))
    contexts = (content.get("current-context") for content in merged.config_files.values())
    current = next(filter(None, contexts), None)  # the first file wins, as in kubectl; the loader takes the last
    if current is None:
        raise ConfigurationError("KUBECONFIG: it has no current context")
    for kind in ("clusters", "contexts", "users"):
        for entry in merged.config.value[kind]:
            entry.name = kind  # errors show this name, and the loader's contains the whole entry with its token
    user = merged.config["contexts"].get_with_name(current)["context"]["user"]
    merged.config["users"].get_with_name(user)  # the loader reports an unknown user in unclear words
    return KubeConfigLoader(merged.config, active_context=current, config_base_path=None)


async def _load(loader: KubeConfigLoader, configuration: Configuration) -> None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOGIN_TIMEOUT):
            await loader.load_and_set(configuration)
    finally:
        if isinstance(loop, _PluginLoop):
            await loop.kill_plugins()


class _PluginLoop(asyncio.SelectorEventLoop):
    """Can kill its login plugins. A cancelled loader leaves them running."""

    def __init__(self) -> None:
        super().__init__()
        self._plugins: list[asyncio.SubprocessTransport] = []

    async def subprocess_exec(self, *arguments: Any, **options: Any) -> Any:
        transport, protocol = await super().subprocess_exec(*arguments, **options)
        self._plugins.append(transport)
        return transport, protocol

    async def kill_plugins(self) -> None:
        """Kill the plugins, and give them a second to end."""
        running = [plugin for plugin in self._plugins if plugin.get_returncode() is None]
        for plugin in running:
            plugin.close()
        for _ in range(100):
            if all(plugin.get_returncode() is not None for plugin in running):
                break
            await asyncio.sleep(0.01)


def _check(configuration: Configuration) -> None:
    token = configuration.api_key.get("BearerToken", "").strip()  # token files may end with a newline
    if token:
        configuration.api_key["BearerToken"] = token
    if not urlsplit(configuration.host).hostname:
        raise ConfigurationError("KUBECONFIG: its current context has no server")
    if configuration.tls_server_name:
        raise ConfigurationError("KUBECONFIG: tls-server-name is not supported")
    if configuration.host.startswith("https://") and not (token or configuration.cert_file):
        raise ConfigurationError(
            "KUBECONFIG: the user of its current context has no token and no client certificate; "
            "if it has a login plugin, the log says why that failed"
        )
