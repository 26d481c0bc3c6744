"""Generic parts of asynchronous work, which know nothing of lanes: gathering calls into batches, waiting for the end of entries."""
