"""How the controllers find the Kubernetes API server and prove who they are.

Kopf's two minimal logins read a kubeconfig and a pod's service account; here they get an order and clear errors. The
official client would also run login plugins, at the price of most of an operator's memory.
"""

from __future__ import annotations

import os
import ssl

import kopf
import yaml

from shared.errors import ConfigurationError


class _Connection(kopf.ConnectionInfo):
    """Verifies the API server's certificate without the extensions that Python asks for since 3.13.

    The authorities of many clusters, EKS among them, lack these. Their certificates are trusted for being the cluster's
    own, so nothing is lost. Source: https://github.com/kubernetes-client/python/issues/2394
    """

    def as_ssl_context(self) -> ssl.SSLContext:
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def login() -> kopf.ConnectionInfo:
    """Return the API server of `KUBECONFIG` if that is set, else of the pod's service account, else of ~/.kube/config.

    Reads files: call it in a thread. Service account tokens are replaced on disk, so call it again after a 401.

    Raises:
        ConfigurationError: there is none of them, or it cannot be used.
    """
    settings = kopf.OperatorSettings()
    ways = [kopf.login_with_service_account, kopf.login_with_kubeconfig]
    if os.environ.get("KUBECONFIG"):
        ways.reverse()
    try:
        found = [info for way in ways if (info := way(settings=settings)) is not None]
    except KeyError as error:
        raise ConfigurationError(f"KUBECONFIG: it names {error} and does not define it") from error
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError, kopf.LoginError) as error:
        raise ConfigurationError(f"KUBECONFIG: cannot be used: {error}") from error
    if not found:
        raise ConfigurationError(
            "KUBECONFIG: is not set, and this is no pod with a service account; name the kubeconfig of a cluster"
        )
    _check(found[0])
    return _Connection(**vars(found[0]))


def _check(info: kopf.ConnectionInfo) -> None:
    if not info.server:
        raise ConfigurationError("KUBECONFIG: its current context has no server")
    identified = info.token or info.username or info.certificate_path or info.certificate_data
    if info.server.startswith("https://") and not identified:
        raise ConfigurationError(
            "KUBECONFIG: the user of its current context has neither a token nor a client certificate; "
            "login plugins are not supported, use a service account's token"
        )
