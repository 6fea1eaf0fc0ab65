"""What the product remembers: tables, migrations, and functions that take an open connection.

The caller owns the transaction; nothing here commits, calls out or knows what a value means.
"""
