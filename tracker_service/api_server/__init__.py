"""The API's process: the FastAPI application, the server, its connections."""
