"""Write, ask, publish."""

from typing import Any

from executor_service import Step


class Draft(Step):
    """Write a draft, shorter each time it is sent back."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return the text, and its version."""
        words = data["topic"].split()
        version = self.context.iteration
        return {"text": " ".join(words[: max(1, len(words) - version + 1)]), "version": version}


class Ask(Step):
    """Ask an editor."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return the question; the answer's keys become part of this step's result."""
        return {
            "status": "human_input_required",
            "prompt": f"Publish version {data['version']}?",
            "ui_schema": {
                "type": "object",
                "properties": {"verdict": {"enum": ["publish", "rework"]}},
                "required": ["verdict"],
            },
            "assigned_users": self.config["editors"],
            "timeout_seconds": self.config["timeout_seconds"],
        }


class Publish(Step):
    """Publish the text."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return where it stands; the key makes a repeated call harmless."""
        return {"published": data["text"], "publication_key": self.context.idempotency_key}


class Shelve(Step):
    """Put the draft away."""

    async def run(self, data: Any) -> dict[str, Any]:
        """Return what was put away."""
        return {"shelved": data["text"]}
