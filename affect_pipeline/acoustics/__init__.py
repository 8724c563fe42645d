"""What can be measured on a recording: voice activity, audio quality, biomarkers."""
