"""Killing the engine at random moments, and finding out what that broke.

`site` writes a project, `cases` says what is reported and what must follow, `engine` starts and
kills the real program, `trial` is the course of one project's life, `verdict` compares what was
done (`effects`, a log that the playbooks write) with what the record says.
"""
