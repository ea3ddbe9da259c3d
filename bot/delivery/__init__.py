"""Telling one recipient, once: the ledger, the nonce, the limits and the request, in the order that makes it safe."""
