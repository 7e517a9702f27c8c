"""Records no healthy producer sends, on a real Kafka: each must end once, as an event or as a dead letter."""
