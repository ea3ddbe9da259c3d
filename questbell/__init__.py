"""Questbell: game sessions on Discord whose reminders are never lost and never told twice."""
