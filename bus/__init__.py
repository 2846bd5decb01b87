"""The one Kafka client of the whole project: nothing else imports the library."""
