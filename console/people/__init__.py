"""People: who is enrolled, the keys that seal their pictures, unknown people, and what operators say of them."""
