"""Delivers each notification once."""
