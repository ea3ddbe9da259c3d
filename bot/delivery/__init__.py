"""Sending each notification once: eligibility, leases, requests and their results, in the order that makes it safe."""
