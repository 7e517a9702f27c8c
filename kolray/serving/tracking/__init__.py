"""First-party tracking of web pages: a pixel, a collector and its script, and links that count clicks.

``hits`` reads what a page says, ``visitors`` says who may be told apart, ``outbox`` keeps it until Kafka has it.
"""
