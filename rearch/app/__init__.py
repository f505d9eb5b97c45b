"""The one place that sees both sides: it builds the adapters, plans, and executes a request."""
