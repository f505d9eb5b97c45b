"""Fetchers: one for each kind of source, all behind steps.ports.SourceFetcher."""
