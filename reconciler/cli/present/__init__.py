"""Values of the program as text for people and as JSON for scripts. Knows no database and prints nothing."""
