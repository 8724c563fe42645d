"""Population monitoring: whether the recordings as a whole have shifted, which is no news about any patient."""
