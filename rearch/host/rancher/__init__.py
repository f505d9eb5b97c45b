"""The Rancher server's content: how an agent asks for it, and what stands between the two."""
