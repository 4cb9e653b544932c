"""The read model in PostgreSQL, over asyncpg."""
