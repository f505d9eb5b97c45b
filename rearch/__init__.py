"""rearch rebuilds a stack of container components for another CPU architecture."""

__version__ = "0.1.0"
