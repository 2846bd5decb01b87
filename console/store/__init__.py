"""What the console keeps, in SQLite or PostgreSQL: alerts, answers, accounts, audit, and zones and rules by version."""
