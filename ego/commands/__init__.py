"""One short file for each command: parse, call, print."""
