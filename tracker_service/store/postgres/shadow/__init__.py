"""Shadow tables in PostgreSQL: built beside the live ones, compared, put in their place."""
