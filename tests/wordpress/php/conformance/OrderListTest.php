<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Tillsync\Tests\SiteTestCase;

/** Covers wc_get_orders with the arguments that the bridge uses. */
final class OrderListTest extends SiteTestCase {
	/** @return list<int> */
	private function ids( array $args ): array {
		return wc_get_orders( $args + array( 'limit' => -1, 'return' => 'ids', 'type' => 'shop_order', 'orderby' => 'ID', 'order' => 'ASC' ) );
	}

	public function test_orders_are_filtered_by_status_with_and_without_its_prefix(): void {
		$one = $this->order( 'processing' )->get_id();
		$two = $this->order( 'completed' )->get_id();
		$this->order( 'on-hold' );
		$this->assertSame( array( $one, $two ), $this->ids( array( 'status' => array( 'processing', 'wc-completed' ) ) ) );
		$this->assertSame( array( $two ), $this->ids( array( 'status' => 'completed' ) ) );
	}

	public function test_orders_are_filtered_by_creation_time(): void {
		$times = array();
		foreach ( array( 3000, 2000, 1000 ) as $age ) {
			$order = $this->order();
			$order->set_date_created( time() - $age );
			$order->save();
			$times[] = $order->get_id();
		}
		$this->assertSame( array( $times[2] ), $this->ids( array( 'date_created' => '>' . ( time() - 1500 ) ) ) );
		$this->assertSame( array( $times[0] ), $this->ids( array( 'date_created' => '<' . ( time() - 2500 ) ) ) );
		$this->assertSame( array( $times[1], $times[2] ), $this->ids( array( 'date_created' => ( time() - 2500 ) . '...' . time() ) ) );
	}

	public function test_a_paged_list_has_totals(): void {
		$made = array();
		for ( $n = 0; $n < 5; $n++ ) {
			$made[] = $this->order()->get_id();
		}
		$this->assertSame( array( $made[2], $made[3] ), $this->ids( array( 'limit' => 2, 'page' => 2 ) ) );
		$this->assertSame( array( $made[1], $made[2] ), $this->ids( array( 'limit' => 2, 'offset' => 1 ) ) );
		$paged = wc_get_orders( array( 'limit' => 2, 'return' => 'ids', 'paginate' => true, 'type' => 'shop_order' ) );
		$this->assertSame( array( 5, 3 ), array( (int) $paged->total, (int) $paged->max_num_pages ) );
	}

	public function test_orders_are_filtered_by_customer_and_by_billing_email(): void {
		$user = $this->user( 'customer', 'ada@example.test' );
		$own = $this->order( 'processing', $user )->get_id();
		$this->order( 'processing', 0, array( 'email' => 'other@example.test' ) );
		$this->assertSame( array( $own ), $this->ids( array( 'customer_id' => $user ) ) );
		$guest = $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) )->get_id();
		$this->assertSame( array( $own, $guest ), $this->ids( array( 'billing_email' => 'ada@example.test' ) ) );
	}

	public function test_excluded_orders_are_left_out(): void {
		$one = $this->order()->get_id();
		$two = $this->order()->get_id();
		$this->assertSame( array( $two ), $this->ids( array( 'exclude' => array( $one ) ) ) );
	}
}
