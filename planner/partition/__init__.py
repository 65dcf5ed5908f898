"""Which layers each pipeline stage holds, and what it recomputes: exact, by DP and by ILP."""
