<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Orders\Backfill;
use Tillsync\Bridge\Orders\DrainLimits;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\Sweep;

require_once __DIR__ . '/../BridgeTestCase.php';

final class SweepTest extends BridgeTestCase {
	/** Creates an order, that many seconds old, which the hook ignores because the shop is not connected yet. */
	private function missed_order( int $age, string $status = 'processing' ): int {
		global $wpdb;
		$order = new \WC_Order();
		$order->set_date_created( time() - $age );
		$order->save();
		$order->update_status( $status );
		// The change of status sets the dates to now.
		$then = time() - $age;
		if ( self::orders_have_tables() ) {
			$gmt = gmdate( 'Y-m-d H:i:s', $then );
			$wpdb->query( $wpdb->prepare( "UPDATE {$wpdb->prefix}wc_order_operational_data SET date_paid_gmt = CASE WHEN date_paid_gmt IS NULL THEN NULL ELSE %s END, date_completed_gmt = CASE WHEN date_completed_gmt IS NULL THEN NULL ELSE %s END WHERE order_id = %d", $gmt, $gmt, $order->get_id() ) );
		} else {
			foreach ( array( '_date_paid', '_date_completed' ) as $key ) {
				get_post_meta( $order->get_id(), $key, true ) && update_post_meta( $order->get_id(), $key, $then );
			}
		}
		wp_cache_flush();
		return $order->get_id();
	}

	private function sweep(): int {
		return $this->services->get( Sweep::class )->run();
	}

	public function test_the_sweep_finds_orders_that_the_hook_missed_once(): void {
		$missed = array( $this->missed_order( 60 ), $this->missed_order( 120, 'completed' ) );
		$this->missed_order( 60, 'on-hold' );
		$this->connect();
		$this->assertSame( 2, $this->sweep() );
		$this->assertSame( 0, $this->sweep() );
		foreach ( $missed as $order_id ) {
			$this->assertSame( 'waiting', $this->row( $order_id )->state );
		}
		$this->assertSame( 2, $this->services->get( Sweep::class )->missed() );
	}

	public function test_the_sweep_ignores_edited_orders_from_before_the_connection(): void {
		$old = $this->missed_order( 90000 );
		$this->connect();
		$order = wc_get_order( $old );
		$order->set_customer_note( 'edited today' );
		$order->save();
		$this->assertSame( 0, $this->sweep() );
	}

	public function test_the_sweep_finds_an_old_order_that_was_paid_after_connecting(): void {
		// Goods are shipped, so a processing order has a paid date.
		add_filter( 'woocommerce_payment_complete_order_status', static fn() => 'processing' );
		$old = $this->missed_order( 90000, 'on-hold' );
		$order = wc_get_order( $old );
		$order->update_status( 'processing' );
		$this->connect();
		$this->assertSame( 1, $this->sweep() );
		$this->assertSame( 'waiting', $this->row( $old )->state );
	}

	public function test_a_sweep_goes_from_the_newest_order_and_continues_at_its_place(): void {
		$orders = array_map( fn( int $age ) => $this->missed_order( $age ), array( 500, 400, 300, 200, 100 ) );
		$this->connect();
		$sweep   = $this->services->get( Sweep::class );
		$outbox  = $this->services->get( Outbox::class );
		$missing = static fn() => $outbox->without_row( $orders );
		$this->assertSame( 2, $sweep->run( new DrainLimits( $this->clock, 0.0 ), 2 ) );
		$this->assertSame( array_slice( $orders, 0, 3 ), $missing() );
		// Orders leave the chosen statuses meanwhile, and a newer one is missed.
		wc_get_order( $orders[4] )->update_status( 'cancelled' );
		$this->services->get( ConnectionStore::class )->forget();
		$newer = $this->missed_order( 0 );
		$this->connect();
		$this->assertSame( 3, $sweep->run( new DrainLimits( $this->clock, 0.0 ), 2 ), 'the newer one, and the next page' );
		$this->assertSame( 'waiting', $this->row( $newer )->state );
		$this->assertSame( array_slice( $orders, 0, 1 ), $missing() );
		$this->assertSame( 1, $sweep->run( new DrainLimits( $this->clock, 0.0 ), 2 ) );
		$this->assertSame( array(), $missing() );
		$this->assertFalse( get_option( 'tillsync_bridge_sweep_place' ) );
	}

	public function test_a_backfill_skips_no_order_when_an_earlier_one_leaves_the_chosen_statuses(): void {
		$orders = array_map( fn( int $age ) => $this->missed_order( $age * DAY_IN_SECONDS ), array( 5, 4, 3 ) );
		$this->connect();
		$backfill = $this->services->get( Backfill::class );
		$backfill->start( 30 );
		$backfill->run_portion( new DrainLimits( $this->clock, 0.0 ), 1 );
		wc_get_order( $orders[0] )->update_status( 'cancelled' );
		$backfill->run_portion( new DrainLimits( $this->clock, 0.0 ), 1 );
		$this->assertSame( array( $orders[2] ), $this->services->get( Outbox::class )->without_row( $orders ) );
		$backfill->run_portion( new DrainLimits( $this->clock, 0.0 ), 1 );
		$this->assertSame( array(), $this->services->get( Outbox::class )->without_row( $orders ) );
	}

	public function test_refunds_are_not_swept(): void {
		$order_id = $this->missed_order( 60 );
		$order    = wc_get_order( $order_id );
		$order->set_total( 10 );
		$order->save();
		$this->assertIsObject( wc_create_refund( array( 'order_id' => $order_id, 'amount' => 4 ) ) );
		$this->connect();
		$this->assertSame( 1, $this->sweep() );
	}

	public function test_the_sweep_does_nothing_on_a_copy(): void {
		$this->missed_order( 60 );
		$this->connect( 'https://live.example.test' );
		$this->assertSame( 0, $this->sweep() );
	}

	public function test_a_backfill_counts_older_orders_and_adds_them_oldest_first(): void {
		$ids = array( $this->missed_order( 5 * DAY_IN_SECONDS ), $this->missed_order( 4 * DAY_IN_SECONDS, 'completed' ), $this->missed_order( 40 * DAY_IN_SECONDS ), $this->missed_order( DAY_IN_SECONDS, 'cancelled' ) );
		$this->connect();
		$backfill = $this->services->get( Backfill::class );
		$this->assertSame( array( 'orders' => 2, 'new' => 2, 'capped' => false ), $backfill->preview( 30 ) );
		$this->assertSame( array(), $this->services->get( Outbox::class )->depth() );
		$backfill->start( 30 );
		$this->assertSame( 0, $backfill->added_count() );
		$backfill->run_portion();
		$this->assertNull( $backfill->added_count() );
		$this->assertSame( array( 'orders' => 2, 'new' => 0, 'capped' => false ), $backfill->preview( 30 ) );
		$this->assertSame( 'waiting', $this->row( $ids[0] )->state );
		$this->assertNull( $this->services->get( Outbox::class )->find( $ids[2] ) );
	}

	public function test_cron_resumes_a_stalled_backfill(): void {
		$this->missed_order( DAY_IN_SECONDS );
		$this->connect();
		$backfill = $this->services->get( Backfill::class );
		$backfill->start( 30 );
		$backfill->resume_stalled();
		$this->assertSame( 0, $backfill->added_count() );
		$this->advance( 301 );
		$backfill->resume_stalled();
		$this->assertNull( $backfill->added_count() );
	}
}
