"""One module a kind of recording; each has `replay(folder, level) -> Iterator[Verdict]`."""
