"""The distribution protocol: client, auth, errors."""
