"""Readers of speech corpora in their original layouts."""
