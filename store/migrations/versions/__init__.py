"""Every revision of the schema since the first release; none is edited after it was released."""
