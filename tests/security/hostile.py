"""Nasty values that a sender may put into an event, by name."""

from __future__ import annotations

from typing import Any

MARKER = "/tmp/selfheal-hostile-marker"
"""No test ever creates this file: it is there only if a value was executed."""

_PIPE = f"lookup('pipe', 'touch {MARKER}')"

TEXTS: dict[str, str] = {
    # Templates, in every spelling.
    "jinja expression": "{{ 7 * 7 }}",
    "jinja without spaces": "{{7*7}}",
    "jinja trimmed": "{{- 7*7 -}}",
    "jinja statement": "{% for i in range(9) %}x{% endfor %}",
    "jinja statement trimmed": "{%- if true -%}49{%- endif -%}",
    "jinja comment": "{# gone #}49",
    "jinja half open": "{{ 7*7",
    "jinja half closed": "7*7 }}",
    "jinja nested": "{{ '{{ 7*7 }}' }}",
    "jinja raw": "{% raw %}{{ 7*7 }}{% endraw %}",
    "jinja split by a brace": "{{{ 7*7 }}}",
    "jinja comment end": "#} {{ 7*7 }} {#",
    "jinja classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "jinja globals": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "jinja secrets": "{{ vars }}",
    "jinja variables": "{{ hostvars }}{{ groups }}",
    "jinja full width": "\uff5b\uff5b 7*7 \uff5d\uff5d",
    "jinja zero width": "{\u200b{ 7*7 }\u200b}",
    "lookup pipe": f"{{{{ {_PIPE} }}}}",
    "lookup pipe statement": f"{{% set x = {_PIPE} %}}",
    "lookup file": "{{ lookup('file', '/etc/passwd') }}",
    "lookup env": "{{ lookup('env', 'HOME') }}",
    "query pipe": f"{{{{ query('pipe', 'touch {MARKER}') }}}}",
    "format string": "{0.__class__.__init__.__globals__}",
    "percent format": "%(password)s %s %n",
    "f-string": "{event!r}",
    "string template": "$PATH ${HOME}",
    # Shell.
    "command substitution": f"$(touch {MARKER})",
    "backticks": f"`touch {MARKER}`",
    "semicolon": f"x; touch {MARKER}",
    "and": f"x && touch {MARKER}",
    "pipe": f"x | touch {MARKER}",
    "redirection": f"x > {MARKER}",
    "quote breakout": f"x'; touch {MARKER}; '",
    "double quote breakout": f'x"; touch {MARKER}; "',
    "newline command": f"x\ntouch {MARKER}",
    "carriage return": f"x\rtouch {MARKER}",
    "two words": "one two",
    "tab": "one\ttwo",
    "glob": "* ?? [a-z]",
    "tilde": "~root",
    # Options.
    "short option": "-rf",
    "long option": "--extra-vars=ansible_connection=local",
    "double dash": "--",
    "option file": "-e@/etc/passwd",
    "unicode dash": "\u2010\u2013rf",
    # Ansible.
    "all": "all",
    "star": "*",
    "regex pattern": "~.*",
    "pattern difference": "all:!web1",
    "pattern list": "web1,web2",
    "pattern range": "web[0:9]",
    "pattern intersection": "all:&web",
    "at file": "@/etc/passwd",
    "key value": "x state=absent",
    "ansible variable": "ansible_connection=local",
    "unsafe tag": "!unsafe x",
    "vault header": "$ANSIBLE_VAULT;1.1;AES256\n6162",
    # YAML and Python.
    "yaml vault": "!vault |\n  $ANSIBLE_VAULT;1.1;AES256",
    "yaml python": "!!python/object/apply:os.system ['id']",
    "yaml bomb": "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]",
    "yaml merge": "<<: *x",
    "yaml document": "---\n- hosts: all\n",
    "python literal": "[1, 2, {'a': 'b'}]",
    "json": '{"ansible_host": "x"}',
    # Paths and URLs.
    "traversal": "../../../../etc/passwd",
    "absolute path": "/etc/passwd",
    "file url": "file:///etc/passwd",
    "userinfo": "good@127.0.0.2",
    "backslash authority": "127.0.0.2\\@good",
    "fragment": "127.0.0.2#",
    "query": "127.0.0.2?",
    "path": "127.0.0.2/x",
    "port and path": "127.0.0.2:1/",
    "header injection": "x\r\nHost: evil\r\n\r\n",
    "two ports": "good:80:90",
    "encoded slash": "127.0.0.2%2f",
    "full width host": "\uff11\uff12\uff17.0.0.2",
    "ideographic stop": "127\u30020\u30020\u30022",
    # Queries.
    "label breakout": '"} or vector(1) or up{x="',
    "sql": "'; DROP TABLE events; --",
    # Terminals.
    "clear screen": "\x1b[2J\x1b[H",
    "window title": "\x1b]0;owned\x07",
    "c1 control": "\x9b31mred",
    "backspace": "good\b\b\b\bevil",
    "right to left": "safe\u202egnp.exe",
    "bell": "\x07",
    # Texts as such.
    "nul": "a\0b",
    "empty": "",
    "spaces": "   ",
    "megabyte": "A" * 1_000_000,
    "combining": "Z\u0351\u036b\u0343" * 50,
    "line separators": "a\u2028b\u2029c\x85d",
    "emoji": "\U0001f469\u200d\U0001f680",
    "number": "1e309",
    "octal": "0o777",
    "norway": "no",
    "null word": "null",
}
"""Texts: each can be in any place of an event."""


def _deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


VALUES: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "half a surrogate": "\ud800",
    "deep": _deep(200),
    "long number": 10**400,
    "bytes": b"x",
}
"""Values that JSON does not have, or that are too much: refused at the door."""

ANSIBLE_KEYS = (
    "ansible_connection",
    "ansible_host",
    "ansible_user",
    "ansible_become",
    "ansible_python_interpreter",
    "ansible_ssh_common_args",
    "ansible_shell_executable",
)
"""Variables that say how to connect: an event sets none of them."""
