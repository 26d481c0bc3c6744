"""The harness's browser."""

from __future__ import annotations

from wordpress.harness.browser import open_browser, overflow, serious_findings
from wordpress.harness.shop import Shop


async def test_administrator_sees_the_dashboard(wp_site: Shop) -> None:
    session = await wp_site.log_in()
    async with open_browser(wp_site, session) as page:
        await page.goto("/wp-admin/index.php")
        assert "Corner Shop" in await page.title()
        assert await overflow(page) == 0
        assert isinstance(await serious_findings(page, "#wpbody-content"), list)
