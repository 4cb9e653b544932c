"""From an order to a parcel; plain `def run` steps, so they run in threads."""

from typing import Any

from executor_service import Step


class CheckOrder(Step):
    """Add up the order."""

    def run(self, data: Any) -> dict[str, Any]:
        """Return the total in cents and the number of pieces."""
        items = data["items"]
        return {
            "total_cents": sum(item["cents"] * item["pieces"] for item in items),
            "pieces": sum(item["pieces"] for item in items),
        }


class Charge(Step):
    """Charge the customer, once however often this runs."""

    def run(self, data: Any) -> dict[str, Any]:
        """Return the payment; the provider knows the key and charges one time only."""
        return {"paid_cents": data["total_cents"], "payment": self.context.idempotency_key}


class Pick(Step):
    """Fetch the items from the shelves."""

    def run(self, data: Any) -> dict[str, Any]:
        """Return the shelves in the order to walk them."""
        return {"shelves": sorted(item["shelf"] for item in data["items"])}


class ChooseBox(Step):
    """Choose the smallest box that takes all pieces."""

    def run(self, data: Any) -> dict[str, Any]:
        """Return the box."""
        return {"box": "small" if data["pieces"] <= self.config["small_takes"] else "large"}


class Pack(Step):
    """Pack what was picked into the box that was chosen."""

    def run(self, data: Any) -> dict[str, Any]:
        """Return the parcel."""
        return {"parcel": f"{data['pieces']} pieces in a {data['box']} box"}


class GiftNote(Step):
    """Write the note."""

    def run(self, data: Any) -> dict[str, Any]:
        """Return the note."""
        return {"note": f"For {data['gift_for']}"}


class Send(Step):
    """Send the parcel, paid and packed."""

    def run(self, data: Any) -> dict[str, Any]:
        """Return the label."""
        note = f", note: {data['note']}" if "note" in data else ""
        return {"label": f"{data['parcel']}, paid {data['paid_cents'] / 100:.2f}{note}"}
