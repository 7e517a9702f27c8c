"""What ``kolray bench`` runs: measurements on the real services, never part of the tests."""
