"""What the answers of commands say, as tables and as objects."""
