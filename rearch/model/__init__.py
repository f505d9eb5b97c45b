"""Values. No input or output here, and nothing of rearch is imported but errors."""
