<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Tillsync\Tests\SiteTestCase;
use WC_Order;
use WC_Order_Refund;

/** Covers what happens to an order after it was placed. */
final class OrderLifeTest extends SiteTestCase {
	public function test_restoring_an_order_from_the_bin_changes_its_status(): void {
		$order = $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) );
		$id    = $order->get_id();
		$order->delete();
		$this->assertSame( 0, $order->get_id(), 'the object forgets its id, in the bin too' );
		$binned = wc_get_order( $id );
		$this->assertInstanceOf( WC_Order::class, $binned );
		$this->assertSame( 'trash', $binned->get_status() );
		$changes = $this->calls_of( 'woocommerce_order_status_changed' );
		$this->assertTrue( $binned->untrash() );
		$this->assertSame( array( 'trash', 'processing' ), array_slice( $changes[0], 1, 2 ) );
		$this->assertSame( 'processing', wc_get_order( $id )->get_status() );
	}

	public function test_a_list_of_orders_leaves_out_binned_ones(): void {
		$order = $this->order( 'processing' );
		$id    = $order->get_id();
		$order->delete();
		$this->assertNotContains( $id, wc_get_orders( array( 'limit' => -1, 'return' => 'ids' ) ) );
	}

	public function test_reading_a_deleted_order_returns_false(): void {
		$order = $this->order();
		$id    = $order->get_id();
		$order->delete( true );
		$this->assertFalse( wc_get_order( $id ) );
		$this->assertFalse( wc_get_order( 0 ) );
		$this->assertFalse( wc_get_order( 99999999 ) );
		$this->assertFalse( wc_get_order( wp_insert_post( array( 'post_title' => 'A page', 'post_type' => 'page' ) ) ) );
	}

	public function test_a_refund_has_no_email_and_no_customer(): void {
		$order = $this->order( 'completed', 0, array( 'email' => 'ada@example.test' ) );
		$order->set_total( '10' );
		$order->save();
		$refund = wc_create_refund( array( 'order_id' => $order->get_id(), 'amount' => 5 ) );
		$this->assertInstanceOf( WC_Order_Refund::class, $refund );
		$found = wc_get_order( $refund->get_id() );
		$this->assertInstanceOf( WC_Order_Refund::class, $found );
		$this->assertNotInstanceOf( WC_Order::class, $found );
		$this->assertSame( 'shop_order_refund', $found->get_type() );
		$this->assertFalse( method_exists( $found, 'get_billing_email' ) );
		$this->assertFalse( method_exists( $found, 'get_customer_id' ) );
		$this->assertNotContains( $refund->get_id(), wc_get_orders( array( 'limit' => -1, 'return' => 'ids', 'type' => 'shop_order' ) ) );
	}

	public function test_orders_of_a_deleted_user_become_guest_orders_with_the_same_email(): void {
		$user  = $this->user( 'customer', 'ada@example.test' );
		$order = $this->order( 'processing', $user, array( 'email' => 'ada@example.test' ) );
		wp_delete_user( $user );
		wp_cache_flush();
		$read = wc_get_order( $order->get_id() );
		$this->assertSame( 0, $read->get_customer_id() );
		$this->assertSame( 'ada@example.test', $read->get_billing_email() );
	}

	public function test_linking_past_orders_changes_no_status(): void {
		$order   = $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) );
		$user    = $this->user( 'customer', 'ada@example.test' );
		$changes = $this->calls_of( 'woocommerce_order_status_changed' );
		$updates = $this->calls_of( 'woocommerce_update_order' );
		wc_update_new_customer_past_orders( $user );
		$this->assertSame( $user, wc_get_order( $order->get_id() )->get_customer_id() );
		$this->assertCount( 0, $changes );
		$this->assertGreaterThan( 0, count( $updates ) );
	}

	public function test_an_order_without_an_email_gets_the_email_of_the_account(): void {
		$user  = $this->user( 'customer', 'ada@example.test' );
		$order = $this->order( 'processing', $user );
		$this->assertSame( 'ada@example.test', wc_get_order( $order->get_id() )->get_billing_email() );
	}

	public function test_an_order_has_an_order_key(): void {
		$this->assertMatchesRegularExpression( '/^wc_order_\w{13}$/', $this->order()->get_order_key() );
	}

	public function test_a_refund_of_zero_refunds_an_order_of_zero_fully(): void {
		$order = $this->order();
		wc_create_refund( array( 'order_id' => $order->get_id(), 'amount' => 0 ) );
		$this->assertSame( 'refunded', wc_get_order( $order->get_id() )->get_status() );
		$other = $this->order();
		$other->set_total( 10 );
		$other->save();
		wc_create_refund( array( 'order_id' => $other->get_id(), 'amount' => 4 ) );
		$this->assertSame( 'processing', wc_get_order( $other->get_id() )->get_status() );
		wc_create_refund( array( 'order_id' => $other->get_id(), 'amount' => 6 ) );
		$this->assertSame( 'refunded', wc_get_order( $other->get_id() )->get_status() );
	}

	public function test_processing_orders_have_a_paid_date_only_where_goods_are_shipped(): void {
		$this->assertNull( $this->order( 'processing' )->get_date_paid() );
		$this->assertNotNull( $this->order( 'completed' )->get_date_paid() );
		add_filter( 'woocommerce_payment_complete_order_status', static fn() => 'processing' );
		$this->assertNotNull( $this->order( 'processing' )->get_date_paid() );
		$this->assertNotNull( $this->order( 'completed' )->get_date_paid() );
	}
}
