"""What a user waits for, beside a bare floor in the same run."""
