"""What the texts of functions say they do: their statements, the tables these touch. For the audit and for the lab."""
