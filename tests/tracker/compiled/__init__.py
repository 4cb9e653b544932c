"""What is compiled, held to what it stands in for; compiled or not."""
