"""Demo cohorts of voice journals with known onsets."""
