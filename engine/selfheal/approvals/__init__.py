"""Approvals: a human is asked, answers, or does not in time."""
