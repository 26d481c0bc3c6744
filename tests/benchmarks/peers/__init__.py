"""The compared queues, each with its best known settings on two cores. Each module says how they were found."""
