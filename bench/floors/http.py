"""A bare loop over Jira's search pages: requests and json, nothing kept."""

import requests


def pull_pages(url: str, email: str, token: str, jql: str, fields: list[str]) -> int:
    """How many issues the pages hold."""
    session = requests.Session()
    session.auth = (email, token)
    count, page_token = 0, ""
    while True:
        body = {"jql": jql, "fields": fields, "maxResults": 1000} | (
            {"nextPageToken": page_token} if page_token else {}
        )
        page = session.post(f"{url}/rest/api/3/search/jql", json=body, timeout=30).json()
        count += len(page["issues"])
        page_token = page.get("nextPageToken", "")
        if not page_token:
            return count
