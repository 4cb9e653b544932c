"""What users' steps are made of: the class, its services, the database service."""
