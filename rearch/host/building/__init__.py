"""What the builders with an engine share: names put into a Dockerfile, failures in words, results taken over."""
