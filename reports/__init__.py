"""What the product says: a snapshot put into words and pictures, for Slack, the page and the terminal."""
