"""One file per kind of measurement; each makes a shape ready to be timed."""
