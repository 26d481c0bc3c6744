<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Tillsync\Tests\SiteTestCase;
use WC_Integration;

/** Covers integrations and their settings. */
final class SettingsTest extends SiteTestCase {
	private function integration(): WC_Integration {
		return new class() extends WC_Integration {
			public function __construct() {
				$this->id           = 'conformance';
				$this->method_title = 'Conformance';
				$this->form_fields  = array(
					'points' => array( 'type' => 'checkbox', 'default' => 'yes', 'title' => 'Points' ),
					'text'   => array( 'type' => 'text', 'default' => 'as it was', 'title' => 'Text' ),
				);
			}
		};
	}

	public function test_defaults_are_returned_until_settings_are_stored(): void {
		$this->assertSame( 'yes', $this->integration()->get_option( 'points' ) );
		$this->assertSame( 'as it was', $this->integration()->get_option( 'text' ) );
	}

	public function test_a_form_is_stored_under_the_plugins_key(): void {
		$integration = $this->integration();
		$_POST       = array( 'woocommerce_conformance_text' => '  new <script>x</script>', 'woocommerce_conformance_other' => 'ignored' );
		$integration->process_admin_options();
		$stored = get_option( 'woocommerce_conformance_settings' );
		$this->assertSame( array( 'points', 'text' ), array_keys( $stored ) );
		$this->assertSame( 'no', $stored['points'], 'a box that is not ticked is not sent' );
		$this->assertStringNotContainsString( '<script>', $stored['text'] );
	}

	public function test_integrations_are_loaded_on_init(): void {
		$this->assertGreaterThan( 0, did_action( 'woocommerce_init' ) );
		$this->assertIsArray( WC()->integrations->get_integrations() );
	}

	public function test_shop_managers_have_manage_woocommerce_and_customers_do_not(): void {
		wp_set_current_user( $this->user( 'shop_manager' ) );
		$this->assertTrue( current_user_can( 'manage_woocommerce' ) );
		wp_set_current_user( $this->user( 'customer' ) );
		$this->assertFalse( current_user_can( 'manage_woocommerce' ) );
	}
}
