"""Measurements, as ratios within one run: `invoke dev.bench`."""
