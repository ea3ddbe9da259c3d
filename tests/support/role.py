"""The smallest role that the controllers need, which the chart must grant."""

from __future__ import annotations

_RESOURCES = ["schedulers", "deadletterreconcilers"]
RULES = [
    {"apiGroups": ["questbell.dev"], "resources": _RESOURCES, "verbs": ["list", "watch", "create"]},
    {"apiGroups": ["questbell.dev"], "resources": [f"{kind}/status" for kind in _RESOURCES], "verbs": ["patch"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
]
