<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Confirmation\Confirmations;
use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\SiteIdentity;
use Tillsync\Bridge\Customers\CustomerItem;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Customers\PointsSwitch;
use Tillsync\Bridge\Customers\PointsText;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Rest\ShopperPointsRoute;
use Tillsync\Bridge\Schema\Tables;
use WP_REST_Request;
use WP_REST_Response;

/** Covers points in the shop: places without values in the page, and a route that returns only the shopper's own points. */
final class CustomersPointsTest extends SiteTestCase {

	private const AS_OF = 1767323045;

	private function customer( string $points = '1234.50' ): int {
		$user = $this->user();
		Plugin::services()->get( CustomerTable::class )->store( array( new CustomerItem( $user, 1, false, $points, '-3.5', null, self::AS_OF ) ), 'x' );
		wp_set_current_user( $user );
		return $user;
	}

	private function request(): WP_REST_Response {
		return rest_get_server()->dispatch( new WP_REST_Request( 'POST', '/' . ShopperPointsRoute::ADDRESS ) );
	}

	public function test_a_shopper_gets_their_own_points_as_text(): void {
		$this->customer( '99' );
		$this->customer();
		update_option( 'timezone_string', 'Europe/Berlin' );
		update_option( 'date_format', 'j.n.Y' );
		update_option( 'time_format', 'H:i' );
		$answer = $this->request();
		$this->assertSame( 200, $answer->get_status() );
		$this->assertSame( 'no-store, private, max-age=0', $answer->get_headers()['Cache-Control'] );
		$this->assertSame( array( '1234.50', '2026-01-02T03:04:05Z' ), array( $answer->get_data()['points'], $answer->get_data()['as_of'] ) );
		$this->assertStringContainsString( '1,234.5</strong>', $answer->get_data()['html'] );
		$this->assertStringContainsString( '<time datetime="2026-01-02T03:04:05Z">2.1.2026 04:04</time>', $answer->get_data()['html'] );
	}

	public function test_visitors_without_a_login_get_no_points(): void {
		$this->assertSame( 401, $this->request()->get_status() );
		$this->assertSame( '', do_shortcode( '[tillsync_points]' ) );
	}

	public function test_a_user_without_a_till_customer_gets_an_empty_answer(): void {
		wp_set_current_user( $this->user() );
		$data = $this->request()->get_data();
		$this->assertSame( array( null, null, '' ), array( $data['points'], $data['as_of'], trim( $data['html'] ) ) );
	}

	public function test_the_texts_tell_no_points_from_no_link(): void {
		$services = Plugin::services();
		$email    = 'ada@example.test';
		$user     = $this->user( 'customer', $email );
		wp_set_current_user( $user );
		$services->get( ConnectionStore::class )->save( new Connection( 'https://service.example.test', 'corner-shop', 'token', 'c2VjcmV0LW9mLXRoZS10ZXN0cy0zMi1ieXRlcy1sb25n', SiteIdentity::home_url(), SiteIdentity::environment(), time() - 3600, 'Corner Shop', time() - 3600 ) );
		$services->get( Confirmations::class )->confirm( get_userdata( $user ), Confirmations::BY_ADMIN );
		global $wpdb;
		$wpdb->query( "UPDATE {$services->get( Tables::class )->confirmation()} SET confirmed_at = confirmed_at - 3600" );
		$html = fn() => $this->request()->get_data()['html'];
		$this->assertSame( '', trim( $html() ), 'customers are not synced' );
		update_option( 'tillsync_bridge_settings', array( 'settings' => array( 'customerSyncEnabled' => true ), 'etag' => '1' ) );
		$this->assertStringContainsString( "by {$email}, your points appear here after your next order", $html() );
		$services->get( CustomerTable::class )->store( array( new CustomerItem( $user, 1, false, CustomerItem::UNKNOWN, '0', null, self::AS_OF ) ), 'x' );
		$this->assertStringContainsString( 'You have no points yet.', $html() );
		$services->get( CustomerTable::class )->store( array( new CustomerItem( $user, 2, false, '7', '0', null, self::AS_OF ) ), 'x' );
		$this->assertStringContainsString( '7</strong>', $html() );
		$this->assertStringContainsString( 'You can spend your points in our store.', $html() );
	}

	public function test_every_place_is_empty_until_the_script_fills_it(): void {
		$this->customer();
		ob_start();
		do_action( 'woocommerce_account_dashboard' );
		$dashboard = (string) ob_get_clean();
		foreach ( array( $dashboard, do_shortcode( '[tillsync_points]' ), render_block( array( 'blockName' => 'tillsync/points', 'attrs' => array(), 'innerHTML' => '', 'innerContent' => array(), 'innerBlocks' => array() ) ) ) as $place ) {
			$this->assertStringContainsString( 'data-tillsync-points', $place );
			$this->assertStringNotContainsString( '1234', $place );
		}
		$this->assertTrue( wp_script_is( 'tillsync-points' ) );
	}

	public function test_the_merchant_can_switch_points_off(): void {
		$this->customer();
		Plugin::services()->get( PointsSwitch::class )->set( false );
		$this->assertSame( 403, $this->request()->get_status() );
		$this->assertSame( '', do_shortcode( '[tillsync_points]' ) );
		Plugin::services()->get( PointsSwitch::class )->set( true );
		$this->assertSame( 200, $this->request()->get_status() );
	}

	public function test_a_theme_can_override_the_template(): void {
		$this->customer();
		$folder = get_stylesheet_directory() . '/tillsync-bridge';
		$file   = "{$folder}/tillsync-points.php";
		wp_mkdir_p( $folder );
		file_put_contents( $file, '<?php echo "<b>" . esc_html( $points ) . " stars</b>";' );
		try {
			$this->assertSame( '<b>1,234.5 stars</b>', $this->request()->get_data()['html'] );
		} finally {
			unlink( $file );
			rmdir( $folder );
		}
	}

	public function test_points_drop_trailing_zeros_and_credit_has_at_least_two_decimals(): void {
		$this->assertSame( array( '10', '1,000', '12.5', '-3', '0' ), array_map( array( PointsText::class, 'points' ), array( '10', '1000.000', '12.50', '-3', '0' ) ) );
		$this->assertSame( array( '10.00', '3.50', '-1,234.125' ), array_map( array( PointsText::class, 'credit' ), array( '10', '3.5', '-1234.125' ) ) );
	}
}
