"""What a rule does when it fires."""

from selfheal.actions.context import (
    ActionContext,
    ActionResult,
    ActionStatus,
    Services,
    ShutdownKind,
)
from selfheal.actions.controller import Controller, controller_from_env
from selfheal.actions.dispatcher import Dispatcher
from selfheal.actions.locks import Locks
from selfheal.actions.registry import ACTIONS, Run

__all__ = [
    "ACTIONS",
    "ActionContext",
    "ActionResult",
    "ActionStatus",
    "Controller",
    "Dispatcher",
    "Locks",
    "Run",
    "Services",
    "ShutdownKind",
    "controller_from_env",
]
