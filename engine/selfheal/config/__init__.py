"""Configuration: a project folder with `selfheal.yml`, `rulebooks/`, `playbooks/`, `inventory/`."""

from __future__ import annotations

from selfheal.config.api import Api, ApiUser
from selfheal.config.approval import Approval
from selfheal.config.notify import Bundle, Notify, SmtpTarget, WebhookTarget
from selfheal.config.project import CONFIG_NAME, Config, Project, load_project
from selfheal.config.rails import Rails
from selfheal.config.retention import Retention
from selfheal.config.secret import Secret

__all__ = [
    "CONFIG_NAME",
    "Api",
    "ApiUser",
    "Approval",
    "Bundle",
    "Config",
    "Notify",
    "Project",
    "Rails",
    "Retention",
    "Secret",
    "SmtpTarget",
    "WebhookTarget",
    "load_project",
]
