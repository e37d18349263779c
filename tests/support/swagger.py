"""Swagger UI inside the portal, as a reader uses it."""

from playwright.sync_api import Locator, Page


def try_out(page: Page, operation: str) -> Locator:
    """Opens an operation (`"Agents-listAgents"`), sends its example, returns the status shown."""
    frame = page.frame_locator("iframe[title]")
    frame.locator(f"#operations-{operation}").click()
    frame.get_by_role("button", name="Try it out").click()
    frame.get_by_role("button", name="Execute").click()
    return frame.locator(".live-responses-table .response-col_status").last
