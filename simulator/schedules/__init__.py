"""Pipeline schedules as data: which operations each rank runs, in which order."""
