<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Tillsync\Tests\SiteTestCase;

/** Covers the screens of orders in wp-admin. */
final class OrderScreensAdminTest extends SiteTestCase {
	public function test_the_orders_screen_depends_on_the_order_store(): void {
		wp_set_current_user( $this->user( 'shop_manager' ) );
		$this->assertSame( self::orders_have_tables() ? 'woocommerce_page_wc-orders' : 'shop_order', wc_get_page_screen_id( 'shop-order' ) );
		$url = $this->order()->get_edit_order_url();
		$this->assertStringContainsString( self::orders_have_tables() ? 'admin.php?page=wc-orders&action=edit&id=' : 'post.php?', $url );
	}

	public function test_the_orders_screen_depends_on_the_users_rights(): void {
		wp_set_current_user( $this->user( 'customer' ) );
		$this->assertSame( self::orders_have_tables() ? 'admin_page_wc-orders' : 'shop_order', wc_get_page_screen_id( 'shop-order' ) );
	}
}
