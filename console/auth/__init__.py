"""Who is there: passwords, one-time links, sessions, API tokens, and what guards every request."""
