"""Alembic's migrations, one file per revision; the application runs them by itself at start."""
