"""A person decides: an article is published, reworked, or left alone when nobody answers."""
