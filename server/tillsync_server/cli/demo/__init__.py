"""``tillsync demo``: the whole system on one machine, and a short story in which each comment arises for its real reason.

``sample_data`` has the people on both sides; ``story`` is told step by step; ``scenario`` is what a step can do and check;
``run`` builds it all up.
"""
