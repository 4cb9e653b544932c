"""Four years of Seattle's weather, from a CSV file to a report with a plot."""
