"""Control charts over many patients at once, one file each, one interface: `Chart`."""

from affect_pipeline.monitoring.charts.adherence import Adherence
from affect_pipeline.monitoring.charts.base import Chart, Field, pack, state_size, unpack
from affect_pipeline.monitoring.charts.cusum import Cusum
from affect_pipeline.monitoring.charts.ewma import Ewma
from affect_pipeline.monitoring.charts.likelihood_ratio import LikelihoodRatio
from affect_pipeline.monitoring.charts.multivariate import Multivariate
from affect_pipeline.monitoring.charts.shewhart import Shewhart
from affect_pipeline.monitoring.charts.spread import Spread

__all__ = [
    "Adherence",
    "Chart",
    "Cusum",
    "Ewma",
    "Field",
    "LikelihoodRatio",
    "Multivariate",
    "Shewhart",
    "Spread",
    "pack",
    "state_size",
    "unpack",
]
