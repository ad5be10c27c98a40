"""Plain modules that more than one network needs."""
