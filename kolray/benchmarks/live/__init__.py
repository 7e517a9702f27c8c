"""The stream's live figures: what a reader waits for, what a crash costs, what state and slides cost."""
