"""Each till's request allowance, what is known of the till, create intents, and sales to be read."""
