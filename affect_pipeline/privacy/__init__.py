"""Audit trail, consent, retention, erasure, keys: what protects the people behind the numbers."""
