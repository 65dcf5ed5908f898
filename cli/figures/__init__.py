"""Figures: library values in, a matplotlib Figure out; one file each, one style."""
