"""`python -m selfheal.cli`"""

from selfheal.cli import main

main()
