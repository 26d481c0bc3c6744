<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Tillsync\Tests\SiteTestCase;
use WC_Order;

/** Covers which actions writing meta of an order fires, which rows it leaves, and where orders are stored. */
final class OrderMetaTest extends SiteTestCase {
	private function new_order(): WC_Order {
		return $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) );
	}

	public function test_save_fires_an_update(): void {
		$order   = $this->aged( $this->new_order(), 60 );
		$updates = $this->calls_of( 'woocommerce_update_order' );
		$order->update_meta_data( '_some_key', 'value' );
		$order->save();
		$this->assertGreaterThan( 0, count( $updates ) );
	}

	public function test_save_meta_data_fires_no_update_in_the_second_of_the_last_change(): void {
		$order   = $this->aged( $this->new_order(), -5 );
		$updates = $this->calls_of( 'woocommerce_update_order' );
		$order->update_meta_data( '_some_key', 'value' );
		$order->save_meta_data();
		$this->assertCount( 0, $updates );
	}

	/**
	 * Developer notes of WooCommerce say that save_meta_data() fires nothing. With order tables this holds only within the second of the
	 * last change.
	 */
	public function test_save_meta_data_updates_an_older_order_where_orders_have_tables(): void {
		$order   = $this->aged( $this->new_order(), 60 );
		$updates = $this->calls_of( 'woocommerce_update_order' );
		$order->update_meta_data( '_some_key', 'value' );
		$order->save_meta_data();
		$this->assertSame( self::orders_have_tables(), count( $updates ) > 0 );
	}

	public function test_a_filter_suppresses_the_update_of_save_meta_data(): void {
		$order   = $this->aged( $this->new_order(), 60 );
		$updates = $this->calls_of( 'woocommerce_update_order' );
		add_filter( 'woocommerce_orders_table_datastore_should_save_after_meta_change', '__return_false' );
		$order->update_meta_data( '_some_key', 'value' );
		$order->save_meta_data();
		$this->assertCount( 0, $updates );
		wp_cache_flush();
		$this->assertSame( 'value', wc_get_order( $order->get_id() )->get_meta( '_some_key' ) );
	}

	public function test_two_concurrent_first_writes_leave_two_rows(): void {
		$id     = $this->new_order()->get_id();
		$first  = wc_get_order( $id );
		$second = wc_get_order( $id );
		foreach ( array( $first, $second ) as $order ) {
			$order->get_meta( '_some_key' );
		}
		foreach ( array( $first, $second ) as $index => $order ) {
			$order->update_meta_data( '_some_key', "value $index" );
			$order->save_meta_data();
		}
		wp_cache_flush();
		$this->assertCount( 2, wc_get_order( $id )->get_meta( '_some_key', false ) );
	}

	public function test_an_update_merges_two_rows_into_one(): void {
		$order = $this->new_order();
		$order->add_meta_data( '_some_key', 'one' );
		$order->add_meta_data( '_some_key', 'two' );
		$order->save_meta_data();
		wp_cache_flush();
		$read = wc_get_order( $order->get_id() );
		$read->update_meta_data( '_some_key', 'three' );
		$read->save_meta_data();
		wp_cache_flush();
		$this->assertSame( array( 'three' ), array_column( array_map( static fn( $meta ) => $meta->get_data(), wc_get_order( $order->get_id() )->get_meta( '_some_key', false ) ), 'value' ) );
	}

	public function test_post_meta_is_empty_where_orders_have_tables(): void {
		$order = $this->new_order();
		$order->update_meta_data( '_some_key', 'value' );
		$order->save_meta_data();
		$this->assertSame( self::orders_have_tables() ? '' : 'value', get_post_meta( $order->get_id(), '_some_key', true ) );
		$this->assertSame( self::orders_have_tables() ? 'shop_order_placehold' : 'shop_order', get_post_type( $order->get_id() ) );
	}

	public function test_missing_meta_reads_as_an_empty_text(): void {
		$this->assertSame( '', $this->new_order()->get_meta( '_never_written' ) );
		$this->assertSame( array(), $this->new_order()->get_meta( '_never_written', false ) );
	}

	public function test_deleted_meta_no_longer_exists(): void {
		$order = $this->new_order();
		$order->update_meta_data( '_some_key', 'value' );
		$order->save_meta_data();
		$order->delete_meta_data( '_some_key' );
		$order->save_meta_data();
		wp_cache_flush();
		$this->assertFalse( wc_get_order( $order->get_id() )->meta_exists( '_some_key' ) );
	}

	public function test_only_keys_with_an_underscore_are_hidden_from_the_custom_fields_box(): void {
		$this->assertTrue( is_protected_meta( '_some_key', 'post' ) );
		$this->assertFalse( is_protected_meta( 'some_key', 'post' ) );
	}

	public function test_the_screen_id_function_exists_in_wp_admin_only(): void {
		$this->assertFalse( function_exists( 'wc_get_page_screen_id' ) );
	}

	public function test_an_order_note_fires_no_update(): void {
		$order   = $this->aged( $this->new_order(), 60 );
		$updates = $this->calls_of( 'woocommerce_update_order' );
		$id      = $order->add_order_note( 'A note' );
		$this->assertGreaterThan( 0, $id );
		$this->assertCount( 0, $updates );
		$notes = wc_get_order_notes( array( 'order_id' => $order->get_id() ) );
		$this->assertSame( 'A note', $notes[0]->content );
		$this->assertNotContains( 'A note', array_column( get_comments(), 'comment_content' ) );
	}
}
