"""What the lake costs, beside Apache Spark on the same rows."""
