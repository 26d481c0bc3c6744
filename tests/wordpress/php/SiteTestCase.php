<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use PHPUnit\Framework\TestCase;
use WC_Order;

/**
 * Base of tests inside a real site. Each test runs in a transaction that is rolled back, so it must not create or drop tables. After each
 * test the hooks, the current user and the object cache are as they were before. The site itself is reset for each test class.
 */
abstract class SiteTestCase extends TestCase {
	/** @var array<string, mixed> */
	private array $globals_before = array();

	protected function setUp(): void {
		global $wpdb;
		parent::setUp();
		foreach ( array( 'wp_filter', 'wp_actions', 'wp_current_filter' ) as $name ) {
			$this->globals_before[ $name ] = array_map( static fn( $value ) => is_object( $value ) ? clone $value : $value, $GLOBALS[ $name ] );
		}
		$wpdb->query( 'START TRANSACTION' );
		wp_cache_flush();
	}

	protected function tearDown(): void {
		global $wpdb;
		$wpdb->query( 'ROLLBACK' );
		foreach ( $this->globals_before as $name => $value ) {
			$GLOBALS[ $name ] = $value;
		}
		$_GET  = array();
		$_POST = array();
		wp_cache_flush();
		wp_set_current_user( 0 );
		parent::tearDown();
	}

	protected function user( string $role = 'customer', string $email = '' ): int {
		static $number = 0;
		++$number;
		$id = wp_insert_user( array( 'user_login' => "person$number", 'user_email' => '' === $email ? "person$number@example.test" : $email, 'user_pass' => 'password-of-the-tests-only', 'role' => $role ) );
		$this->assertIsInt( $id );
		return $id;
	}

	/** @param array<string, string> $billing email, first_name ... */
	protected function order( string $status = 'processing', int $customer_id = 0, array $billing = array() ): WC_Order {
		$order = new WC_Order();
		$order->set_customer_id( $customer_id );
		foreach ( $billing as $key => $value ) {
			$order->{"set_billing_$key"}( $value );
		}
		$order->save();
		if ( 'pending' !== $status ) {
			$order->update_status( $status );
		}
		return $order;
	}

	/**
	 * Counts calls of a hook.
	 *
	 * @return \ArrayObject<int, array<int, mixed>> Arguments of each call so far.
	 */
	protected function calls_of( string $hook ): \ArrayObject {
		$calls = new \ArrayObject();
		add_action(
			$hook,
			static function ( ...$arguments ) use ( $calls ): void {
				$calls->append( $arguments );
			},
			1,
			10
		);
		return $calls;
	}

	/** Sets the time of an order's last change to that many seconds ago. */
	protected function aged( WC_Order $order, int $seconds ): WC_Order {
		global $wpdb;
		$then = gmdate( 'Y-m-d H:i:s', time() - $seconds );
		if ( self::orders_have_tables() ) {
			$wpdb->update( "{$wpdb->prefix}wc_orders", array( 'date_updated_gmt' => $then ), array( 'id' => $order->get_id() ) );
		} else {
			$wpdb->update( $wpdb->posts, array( 'post_modified_gmt' => $then, 'post_modified' => get_date_from_gmt( $then ) ), array( 'ID' => $order->get_id() ) );
		}
		wp_cache_flush();
		$read = wc_get_order( $order->get_id() );
		$this->assertInstanceOf( WC_Order::class, $read );
		return $read;
	}

	protected static function orders_have_tables(): bool {
		return \Automattic\WooCommerce\Utilities\OrderUtil::custom_orders_table_usage_is_enabled();
	}
}
