"""What happens to a frame between the broker and an alert: vision, tracking, rules, and the jobs that host them."""
