<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Exception;
use Tillsync\Tests\SiteTestCase;
use TypeError;
use WC_Order;

/** Covers when the facts of an order are final, and what an exception in a callback does to later callbacks. */
final class OrderTimingTest extends SiteTestCase {
	public function test_an_order_created_with_a_status_fires_it_before_it_has_a_buyer(): void {
		$seen = array();
		add_action(
			'woocommerce_order_status_changed',
			static function ( int $id, string $from, string $to, WC_Order $order ) use ( &$seen ): void {
				$seen[] = array( $from, $to, $order->get_customer_id(), $order->get_billing_email() );
			},
			10,
			4
		);
		$order = wc_create_order( array( 'status' => 'processing' ) );
		$order->set_billing_email( 'ada@example.test' );
		$order->save();
		$this->assertSame( array( array( 'pending', 'processing', 0, '' ) ), $seen );
	}

	public function test_a_checkout_draft_has_no_email_and_is_new_when_it_becomes_pending(): void {
		$new   = $this->calls_of( 'woocommerce_new_order' );
		$draft = new WC_Order();
		$draft->set_status( 'checkout-draft' );
		$draft->save();
		$this->assertSame( '', wc_get_order( $draft->get_id() )->get_billing_email() );
		$this->assertCount( 0, $new );
		$draft->set_status( 'pending' );
		$draft->save();
		$this->assertCount( 1, $new );
	}

	public function test_a_change_of_status_fires_after_the_order_is_stored(): void {
		$stored = array();
		add_action(
			'woocommerce_order_status_changed',
			static function ( int $id ) use ( &$stored ): void {
				wp_cache_flush();
				$order    = wc_get_order( $id );
				$stored[] = array( $order->get_status(), $order->get_billing_email() );
			}
		);
		$this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) );
		$this->assertSame( array( array( 'processing', 'ada@example.test' ) ), $stored );
	}

	public function test_an_exception_is_caught_and_later_callbacks_are_skipped(): void {
		$order = $this->order( 'pending', 0, array( 'email' => 'ada@example.test' ) );
		add_action(
			'woocommerce_order_status_changed',
			static function (): void {
				throw new Exception( 'of an earlier plugin' );
			},
			5
		);
		$after = 0;
		add_action(
			'woocommerce_order_status_changed',
			static function () use ( &$after ): void {
				++$after;
			},
			20
		);
		$this->assertTrue( $order->update_status( 'processing' ) );
		$this->assertSame( 0, $after );
		$this->assertSame( 'processing', wc_get_order( $order->get_id() )->get_status() );
	}

	public function test_a_type_error_is_not_caught(): void {
		$order = $this->order( 'pending', 0, array( 'email' => 'ada@example.test' ) );
		add_action(
			'woocommerce_order_status_changed',
			static function (): void {
				throw new TypeError( 'of strict_types' );
			}
		);
		$this->expectException( TypeError::class );
		$order->update_status( 'processing' );
	}

	public function test_an_order_may_pass_two_statuses(): void {
		$changes = $this->calls_of( 'woocommerce_order_status_changed' );
		$order   = $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) );
		$order->update_status( 'completed' );
		$this->assertSame( array( 'processing', 'completed' ), array_column( $changes->getArrayCopy(), 2 ) );
	}

	public function test_saving_the_same_status_fires_no_change(): void {
		$order   = $this->order( 'processing' );
		$changes = $this->calls_of( 'woocommerce_order_status_changed' );
		$order->update_status( 'processing' );
		$order->set_billing_first_name( 'Ada' );
		$order->save();
		$this->assertCount( 0, $changes );
	}
}
