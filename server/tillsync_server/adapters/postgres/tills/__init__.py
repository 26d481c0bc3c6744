"""Storage for each till: its request allowance, what is known of it, create intents, and sales that wait to be read."""
