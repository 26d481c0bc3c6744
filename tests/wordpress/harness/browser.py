"""A real browser: Debian's headless Chromium, driven by Playwright. axe-core checks accessibility."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Dialog, Locator, Page, async_playwright, expect
from wordpress.harness.kinds import AXE, CACHE, CHROMIUM
from wordpress.harness.shop import Session, Shop

HANG_MILLISECONDS = 60_000
"""Timeout that no step reaches, even on a busy machine."""
expect.set_options(timeout=HANG_MILLISECONDS)
DESKTOP, PHONE = (1280, 900), (390, 844)
HELD_SECONDS = 0.12
"""Seconds for which a hand holds a button down."""
PICTURES = Path(os.environ.get("TILLSYNC_PICTURES", str(CACHE.parent / "pictures")))


@asynccontextmanager
async def open_browser(
    site: Shop, session: Session | None = None, *, size: tuple[int, int] = DESKTOP, scripts: bool = True
) -> AsyncIterator[Page]:
    """A page of a new browser, logged in if ``session`` is given. Paths are relative to the site: ``page.goto("/wp-admin/")``. An uncaught
    JavaScript error fails the test at the end.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        try:
            context = await browser.new_context(
                base_url=site.url, viewport={"width": size[0], "height": size[1]}, java_script_enabled=scripts, reduced_motion="reduce"
            )
            context.set_default_timeout(HANG_MILLISECONDS)
            if session is not None:
                await log_in(context, site, session)
            page = await context.new_page()
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            yield page
            assert errors == [], "JavaScript errors on the page"
        finally:
            await browser.close()


async def press(page: Page, target: Locator) -> None:
    """Presses as a hand does: the pointer moves, goes down and, a moment later, up. The page may move the target in between, and this
    function does not wait for it. Playwright's own click is too quick to show that.
    """
    await target.scroll_into_view_if_needed()
    box = await target.bounding_box()
    assert box is not None, "the target is not visible"
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
    await page.mouse.down()
    await asyncio.sleep(HELD_SECONDS)
    await page.mouse.up()


def questions_of(page: Page) -> list[str]:
    """Returns the list of dialog types that the browser opens from now on. Each dialog is dismissed, so the browser stays on the page."""
    kinds: list[str] = []

    async def answer(dialog: Dialog) -> None:
        kinds.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", answer)
    return kinds


async def log_in(context: BrowserContext, site: Shop, session: Session) -> None:
    await context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in session.cookies.items()])


async def picture(page: Page, name: str, *, full: bool = True) -> Path:
    """Saves a screenshot under .tillsync/pictures (or TILLSYNC_PICTURES), for a person to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.png"
    if full:  # sticky elements must be at the top of the picture
        await page.evaluate("() => window.scrollTo(0, 0)")
    await page.screenshot(path=str(path), full_page=full)
    return path


async def serious_findings(page: Page, within: str = "body", *, but: Sequence[str] = ()) -> list[str]:
    """Returns axe-core's serious and critical findings inside a selector, one line each. ``but`` names rules to ignore."""
    await page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = await page.evaluate("selector => axe.run(selector, { resultTypes: ['violations'] })", within)
    found = [one for one in result["violations"] if one["impact"] in ("serious", "critical") and one["id"] not in but]
    return [f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes']]}" for one in found]


async def sticking_out(page: Page, within: str) -> list[str]:
    """Returns visible elements inside a selector that overflow the window's left or right edge."""
    found: list[str] = await page.evaluate(
        """within => {
            const clipped = one => one && (getComputedStyle(one).clip !== 'auto' || getComputedStyle(one).clipPath !== 'none'
                || clipped(one.parentElement));
            return [...document.querySelectorAll(`${within}, ${within} *`)].filter(one => {
                const box = one.getBoundingClientRect();
                const outside = box.left < -1 || box.right > document.documentElement.clientWidth + 1;
                return box.width > 0 && outside && !clipped(one);
            }).map(one => one.outerHTML.slice(0, 120));
        }""",
        within,
    )
    return found


async def overflow(page: Page) -> int:
    """Returns by how many pixels the page is wider than its window."""
    width: int = await page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width
