"""What a database is: facts, edges, and the difference of two of them."""
