"""Publishing: what a build left in output/ -> registries and layouts; audited bytes, children before tags."""
