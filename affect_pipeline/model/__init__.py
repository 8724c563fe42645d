"""The affect model: encoder, scorer, registry, training and evaluation."""
