"""What a record on a topic is: an interaction read strictly from bytes, and why one cannot be used."""
