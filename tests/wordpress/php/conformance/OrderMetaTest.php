<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Tillsync\Tests\SiteTestCase;

/** What writing meta of an order tells, and what it does not. */
final class OrderMetaTest extends SiteTestCase {
	public function test_save_tells_an_update(): void {
		$order = $this->aged( $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) ), 60 );
		$calls = $this->calls_of( 'woocommerce_update_order' );
		$order->update_meta_data( '_some_key', 'value' );
		$order->save();
		$this->assertGreaterThan( 0, count( $calls ) );
	}

	public function test_save_meta_data_tells_nothing_within_the_second_of_the_orders_change(): void {
		$order = $this->aged( $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) ), 0 );
		$order->set_date_modified( time() + 2 );
		$order->apply_changes();
		$calls = $this->calls_of( 'woocommerce_update_order' );
		$order->update_meta_data( '_some_key', 'value' );
		$order->save_meta_data();
		$this->assertCount( 0, $calls );
	}

	public function test_save_meta_data_of_an_order_changed_before_saves_the_order_where_orders_have_tables(): void {
		$order = $this->aged( $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) ), 60 );
		$calls = $this->calls_of( 'woocommerce_update_order' );
		$order->update_meta_data( '_some_key', 'value' );
		$order->save_meta_data();
		$this->assertSame( self::orders_have_tables(), count( $calls ) > 0 );
	}
}
