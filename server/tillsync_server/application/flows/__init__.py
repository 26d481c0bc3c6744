"""The three flows: what one run of an entry does, on ports. The engine calls them, and stores their verdicts.

``dispatcher`` is what the engine opens; ``customer_flow``, ``customer_type_flow`` and ``order_flow`` are the flows; ``till_reader`` and
``shop_writer`` gather their requests; ``email_search`` and ``create_protocol`` never make a twin; ``deletion_check`` proves a 404;
``failure_verdicts`` says what an upstream error means for the entry and for the whole account.
"""
