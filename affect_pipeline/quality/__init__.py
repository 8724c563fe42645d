"""Which recordings can be trusted: the Great Expectations suite, verdicts, quarantine."""
