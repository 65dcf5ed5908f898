"""One module a command: parse, library call, render."""
