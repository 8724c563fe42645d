"""Each patient against their own past: day values, baselines, control charts, alerts."""
