"""A nightly pipeline that listens to how patients sound."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("affect-pipeline")
except PackageNotFoundError:  # a source tree on PYTHONPATH that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
