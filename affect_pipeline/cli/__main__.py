"""``python -m affect_pipeline.cli``."""

from affect_pipeline.cli import main

main()
