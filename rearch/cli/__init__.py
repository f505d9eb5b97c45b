"""The door: invoke tasks -> Request -> app; errors -> exit codes. Nothing below it prints or exits.

`tasks.py` in a checkout and the console script `rearch` are the same namespace.
"""
