"""The forms of accounts and workspaces."""
