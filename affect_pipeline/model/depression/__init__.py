"""Heads for depression as questionnaires measure it: PHQ-8 of interviews, per participant, by voice and more."""
