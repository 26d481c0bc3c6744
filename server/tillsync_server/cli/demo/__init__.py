"""The demo: the whole system on one machine, and a short story in which each comment arises for its real reason.

``sample_data`` has the people of both sides, ``story`` the steps, ``scenario`` the actions and checks of a step. ``run`` starts the system
and tells the story.
"""
