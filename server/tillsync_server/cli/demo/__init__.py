"""``tillsync demo``: the whole system on one machine, and a short story in which each comment arises for its real reason.

``cast`` are the people on both sides; ``story`` is told step by step; ``stage`` is what a step can do and check; ``run`` builds it all up.
"""
