<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Service\ServiceApi;
use Tillsync\Bridge\Users\UserChanges;

require_once __DIR__ . '/../integration/BridgeTestCase.php';

/** Covers more changes, and more held orders, than one call takes. */
final class UserChangesManyTest extends BridgeTestCase {
	protected function setUp(): void {
		parent::setUp();
		$this->connect();
		$this->service->api = '2';
		$this->services->get( ServiceApi::class )->store( '2' );
	}

	public function test_changes_are_reported_a_hundred_a_call_oldest_first(): void {
		for ( $number = 1; $number <= 230; $number++ ) {
			$this->services->get( UserChanges::class )->add( 100000 + $number, UserChanges::DELETED, 0 );
		}
		$this->assertSame( 230, $this->drain()->users );
		$this->assertSame( array( 100, 100, 30 ), array_map( static fn( $message ) => count( $message['changes'] ), $this->service->messages( 'ReportShopUsers' ) ) );
		$this->assertSame( array_map( 'strval', range( 100001, 100230 ) ), array_column( array_merge( ...array_column( $this->service->messages( 'ReportShopUsers' ), 'changes' ) ), 'wooCustomerId' ) );
	}

	public function test_the_newest_fifty_held_orders_are_sent_again(): void {
		global $wpdb;
		$user   = $this->user();
		$orders = array();
		for ( $number = 0; $number < 53; $number++ ) {
			$orders[] = $this->order( 'pending', $user )->get_id();
		}
		foreach ( $orders as $order_id ) {
			$wpdb->insert( $wpdb->prefix . 'tillsync_outbox', array( 'order_id' => $order_id, 'state' => 'sent', 'entry_state' => 'ENTRY_STATE_HELD', 'created_at' => 1, 'due_at' => 2000000000 ) );
		}
		wp_update_user( array( 'ID' => $user, 'user_email' => 'byron@example.test' ) );
		$this->drain();
		$this->assertSame( array_map( 'strval', array_slice( $orders, 3 ) ), array_column( array_column( $this->service->messages( 'BatchMatchOrderCustomers' )[0]['orders'], 'order' ), 'orderId' ) );
	}

	public function test_the_oldest_changes_beyond_the_limit_are_deleted_hourly(): void {
		global $wpdb;
		$rows = array();
		for ( $number = 1; $number <= UserChanges::LIMIT + 3; $number++ ) {
			$rows[] = "({$number},'deleted',0,1,0)";
		}
		$wpdb->query( "INSERT INTO {$wpdb->prefix}tillsync_user_changes (user_id,kind,registered,changed_at,orders_due) VALUES " . implode( ',', $rows ) );
		do_action( Schedule::HOURLY );
		$this->assertSame( range( 4, UserChanges::LIMIT + 3 ), array_map( 'intval', $wpdb->get_col( "SELECT user_id FROM {$wpdb->prefix}tillsync_user_changes ORDER BY id" ) ) );
	}
}
