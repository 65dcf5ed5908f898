"""The planner: which layouts there are, and which is best."""
