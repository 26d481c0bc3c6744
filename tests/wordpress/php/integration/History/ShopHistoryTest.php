<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Customers\CustomerWriter;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\History\ShopHistory;
use Tillsync\Bridge\Schema\Tables;

require_once dirname( __DIR__ ) . '/Orders/DrainTestCase.php';

/** Covers what a shop says to a service whose database was restored: orders, links and the account's state. */
final class ShopHistoryTest extends DrainTestCase {

	private function history(): ShopHistory {
		return $this->services->get( ShopHistory::class );
	}

	/** @return int[] */
	private function listed( int $since, int $after = 0 ): array {
		return array_column( $this->history()->orders( $since, $after )['orders'], 'order_id' );
	}

	public function test_answered_orders_have_their_answer_and_facts(): void {
		$user  = $this->user();
		$order = $this->due_order( $user, array( 'email' => 'billing@example.test' ) );
		$this->clock->now = max( $this->clock->now, time() ) + 31;
		$this->service->script( 'BatchMatchOrderCustomers', self::decided() );
		$this->drain();
		$this->assertSame(
			array(
				'orders'     => array(
					array(
						'order_id'      => $order->get_id(),
						'order_key'     => hash( 'sha256', $order->get_order_key() ),
						'order_number'  => (string) $order->get_order_number(),
						'user_id'       => $user,
						'account_email' => get_userdata( $user )->user_email,
						'billing_email' => 'billing@example.test',
						'entry_id'      => 'e' . $order->get_id(),
						'answer'        => array( 'state' => 'ENTRY_STATE_PROCESSED', 'outcome' => 'OUTCOME_MATCHED_EMAIL', 'notes' => array(), 'causes' => array(), 'epos_customer_id' => '41' ),
					),
				),
				'next_after' => null,
			),
			$this->history()->orders( $this->clock->now - 60, $order->get_id() - 1 )
		);
		$this->assertNotContains( $order->get_id(), $this->listed( $this->clock->now + 60 ), 'answered before' );
		$this->assertSame( array(), $this->listed( 0, $order->get_id() ), 'the page before had it' );
	}

	public function test_waiting_orders_are_listed_whatever_their_age_and_unsent_ones_never(): void {
		$orders = $this->due_orders( 2 );
		$this->service->script( 'BatchMatchOrderCustomers', self::decided( 'ENTRY_STATE_HELD' ) );
		$this->drain();
		$unsent = $this->due_order();
		$held = $orders[0]->get_id();
		$this->assertContains( $held, $this->listed( $this->clock->now + 86400 ) );
		$this->assertNotContains( $unsent->get_id(), $this->listed( 0 ) );
		$orders[1]->delete( true );
		$this->assertSame( array( $held ), array_intersect( array( $held, $orders[1]->get_id() ), $this->listed( 0 ) ), 'a deleted order keeps nothing' );
	}

	public function test_a_failed_read_is_no_shop_without_orders(): void {
		global $wpdb;
		$tables = $this->services->get( Tables::class );
		$wpdb->query( "DROP TABLE {$tables->outbox()}" );
		try {
			$this->expectException( DatabaseError::class );
			$this->listed( 0 );
		} finally {
			$tables->migrate();
		}
	}

	/** @return array<int, array<string, mixed>> Links by user. */
	private function links( int $since = 0 ): array {
		return array_column( $this->history()->links( $since, 0 )['links'], null, 'user_id' );
	}

	private function write( int $user, string $version, ?string $till_customer, array $more = array() ): void {
		$item = $more + array( 'user_id' => $user, 'version' => $version, 'points' => '10', 'credit' => '0', 'type_id' => null, 'as_of' => '2026-01-02T03:04:05Z' );
		$item = null === $till_customer ? $item : $item + array( 'epos_customer_id' => $till_customer );
		$this->services->get( CustomerWriter::class )->write( array( $item ), INF );
	}

	public function test_links_follow_the_till_customer_of_the_newest_write(): void {
		$user = $this->user();
		$this->write( $user, '10', '101' );
		$first = $this->links()[ $user ];
		$this->assertSame( array( '101', false, gmdate( 'Y-m-d\TH:i:s\Z', $this->clock->now ) ), array( $first['epos_customer_id'], $first['removed'], $first['changed'] ) );
		$this->assertSame( gmdate( 'Y-m-d\TH:i:s\Z', strtotime( get_userdata( $user )->user_registered . ' UTC' ) ), $first['registered'] );
		$this->advance( 100 );
		$this->write( $user, '11', '101', array( 'points' => '12' ) );
		$this->write( $user, '9', '100' );
		$this->assertSame( $first, $this->links()[ $user ], 'neither other values nor an older write change the link' );
		$this->write( $user, '12', '102' );
		$this->assertArrayHasKey( $user, $this->links( $this->clock->now ) );
		$this->assertSame( '102', $this->links()[ $user ]['epos_customer_id'] );
		$this->advance( 100 );
		$this->services->get( CustomerWriter::class )->write( array( array( 'user_id' => $user, 'version' => '13', 'remove' => true ) ), INF );
		$removed = $this->links( $this->clock->now )[ $user ];
		$this->assertSame( array( null, true ), array( $removed['epos_customer_id'], $removed['removed'] ) );
	}

	public function test_values_without_a_till_customer_or_of_another_person_are_no_link(): void {
		global $wpdb;
		$user = $this->user();
		$this->write( $user, '10', null );
		$this->assertArrayNotHasKey( $user, $this->links() );
		$this->write( $user, '11', '101' );
		$wpdb->update( $wpdb->users, array( 'user_registered' => '2001-01-01 00:00:00' ), array( 'ID' => $user ) );
		$this->assertArrayNotHasKey( $user, $this->links(), 'the id belongs to another person now' );
	}

	public function test_tables_of_the_release_before_have_no_links(): void {
		$user = $this->user();
		$this->write( $user, '10', '101' );
		update_option( 'tillsync_bridge_schema', 2 );
		try {
			$this->write( $user, '11', '102' );
			$this->assertSame( array( 'links' => array(), 'next_after' => null ), $this->history()->links( 0, 0 ) );
		} finally {
			update_option( 'tillsync_bridge_schema', Tables::VERSION );
		}
		$this->assertSame( '101', $this->links()[ $user ]['epos_customer_id'] );
	}

	public function test_the_state_names_no_token(): void {
		$this->services->get( SiteSettings::class )->store( array( 'settings' => array( 'autoLink' => true ), 'etag' => 'e' ) );
		$state = $this->history()->account();
		$this->assertSame( hash( 'sha256', 'token-of-tests' ), $state['token_hash'] );
		$this->assertTrue( $state['settings']['autoLink'] );
		$this->assertStringNotContainsString( 'token-of-tests', (string) wp_json_encode( $state ) );
	}
}
