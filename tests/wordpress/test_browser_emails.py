"""The attention mail in WooCommerce's block email editor."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect
from wordpress.harness.browser import open_browser, picture
from wordpress.harness.shop import Shop

TITLE = "Till sync: review needed"
EDITOR = """
    update_option( 'woocommerce_feature_block_email_editor_enabled', 'yes' );
    // the editor was in use before the plugin, and WooCommerce looks for new mails once a week
    set_transient( 'wc_email_editor_initial_templates_generated', WC_VERSION, WEEK_IN_SECONDS );
    delete_option( 'tillsync_bridge_schema' );
    do_action( 'activate_tillsync-bridge/tillsync-bridge.php', false );
"""
SEND = """
    $post = get_post( (int) get_option( 'woocommerce_email_templates_tillsync_attention_post_id' ) );
    $text = str_replace( 'The till sync of your shop needs attention:', 'Words of the merchant:', $post->post_content );
    wp_update_post( array( 'ID' => $post->ID, 'post_content' => wp_slash( $text ) ) );
    $alert = new Tillsync\\Bridge\\Health\\Alert( 'user:7', 'OUTCOME_DUPLICATE_EMAIL', '', 7, array( 12 ), time() );
    return WC()->mailer()->get_emails()['Tillsync_Attention_Email']->trigger( array( $alert ) );
"""


@pytest.mark.shops("real")
async def test_block_editor_lists_the_attention_mail_and_edits_it(wp_site: Shop) -> None:
    await wp_site.php(EDITOR)
    async with open_browser(wp_site, await wp_site.log_in()) as page:
        await page.goto("/wp-admin/admin.php?page=wc-settings&tab=email")
        row = page.locator("tr", has_text=TITLE)
        await expect(row).to_contain_text(re.compile("Enabled|Active"))  # WooCommerce 10.9 has renamed it
        await picture(page, f"emails-{wp_site.kind.name}")
        edit = row.get_by_role("button", name="Edit")
        if not await edit.count():  # since 10.9 it is in a menu
            await row.get_by_role("button", name="Actions").click()
            edit = page.get_by_role("menuitem", name=re.compile("^Edit"))
        await edit.click()
        await page.wait_for_url("**/post.php?post=*&action=edit*")
        canvas = page.frame_locator("iframe[name=editor-canvas]")
        # the mail's content block shows its preview text, because there is no alert
        await expect(canvas.get_by_text("Here stands what waits, what to do about it")).to_be_visible(timeout=60_000)
        await expect(canvas.get_by_text("The till sync of your shop needs attention:")).to_be_visible()
        await picture(page, f"email-editor-{wp_site.kind.name}", full=False)
    assert await wp_site.php(SEND) is True
    (mail,) = wp_site.mails()
    for text in ("Words of the merchant:", "several till customers use the same email address", "page=tillsync-queues"):
        assert text in mail["message"]
    assert "Here stands what waits" not in mail["message"]
    assert "##WOO_CONTENT##" not in mail["message"]
