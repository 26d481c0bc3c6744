<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\Connector;
use Tillsync\Bridge\Customers\CustomerItem;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Events\HeldCount;
use Tillsync\Bridge\Health\Alert;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Orders\Backfill;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ServiceError;

require_once __DIR__ . '/BridgeTestCase.php';

/** Covers orders that the service already holds when this shop connects, and a shop that changes its account. */
final class HeldOrdersTest extends BridgeTestCase {
	private static function connect_string( string $account = 'corner-shop' ): string {
		return 'tillsync1.' . rtrim( strtr( base64_encode( (string) json_encode( array( 'url' => 'https://service.example.test', 'account_id' => $account, 'token' => 'token-of-tests' ) ) ), '+/', '-_' ), '=' );
	}

	/** @return array<string, mixed> A QueueEntry. */
	private static function entry( int $order_id, string $number ): array {
		return array( 'entryId' => "entry-$order_id", 'kind' => 'ENTRY_KIND_ORDER_CUSTOMER', 'orderId' => (string) $order_id, 'orderNumber' => $number, 'state' => 'ENTRY_STATE_HELD' );
	}

	/** @param array<int, array<string, mixed>> $entries QueueEntries. */
	private function script_held_entries( array $entries, int $count ): void {
		$this->service->script( 'ListQueue', array( 'entries' => $entries, 'stateCounts' => array( array( 'state' => 'ENTRY_STATE_PENDING', 'count' => 4 ), array( 'state' => 'ENTRY_STATE_HELD', 'count' => $count ) ) ) );
	}

	public function test_connecting_fetches_the_held_orders_of_the_shop(): void {
		$user  = $this->user();
		$order = $this->order( 'processing', $user, array( 'email' => 'ada@example.test' ) );
		$other = $this->order( 'processing', 0, array( 'email' => 'grace@example.test' ) );
		$this->script_held_entries( array( self::entry( $order->get_id(), (string) $order->get_order_number() ), self::entry( $other->get_id(), 'of another shop' ), self::entry( 999999, '999999' ) ), 3 );
		$this->service->script( 'ConnectShop', array( 'accountName' => 'Corner Shop' ) );
		$this->services->get( Connector::class )->connect( self::connect_string() );
		$this->assertSame( 3, $this->services->get( HeldCount::class )->get() );
		$this->assertSame( array( array( 'queue' => 'QUEUE_ORDERS', 'states' => array( 'ENTRY_STATE_HELD' ), 'pageSize' => 100, 'withCounts' => true, 'accountId' => 'corner-shop' ) ), $this->service->messages( 'ListQueue' ) );
		$this->assertSame( 'sent', $this->row( $order->get_id() )->state );
		$this->assertNull( $this->services->get( Outbox::class )->find( $other->get_id() ), 'another order of that id' );
		$this->service->script( 'BatchGetOrderMatches', array( 'results' => array( array( 'ok' => FakeService::match( $order->get_id(), 'ENTRY_STATE_HELD', 'OUTCOME_DUPLICATE_EMAIL', 'more than one' ) ) ) ) );
		$this->advance( 1 );
		$report = $this->drain();
		$this->assertSame( array( '', 0, 1, 0 ), array( $report->stopped_by, $report->failed_calls, $report->polled, count( $this->service->messages( 'BatchMatchOrderCustomers' ) ) ), 'asked for, and not sent as a new one' );
		$this->assertSame( array( "user:{$user}" ), array_map( static fn( Alert $alert ) => $alert->key, $this->services->get( Alerts::class )->all() ) );
	}

	public function test_a_problem_that_the_connection_ends_makes_no_alert(): void {
		$problem = array( 'reason' => 'PROBLEM_REASON_SETTINGS', 'text' => 'settings incomplete' );
		$keys    = fn() => array_map( static fn( Alert $alert ) => $alert->key, $this->services->get( Alerts::class )->all() );
		$this->service->script( 'ConnectShop', array( 'accountName' => 'Corner Shop' ) );
		$this->service->script( 'ListQueue', array( 'problem' => $problem ) );
		$this->services->get( Connector::class )->connect( self::connect_string() );
		$this->assertSame( array(), $keys() );
		$this->service->script( 'ListQueue', array( 'problem' => $problem ) );
		do_action( 'tillsync_bridge_hourly' );
		$this->assertSame( array( Alert::ACCOUNT_PROBLEM ), $keys(), 'a problem that stays is reported' );
	}

	public function test_a_failed_list_of_held_orders_hinders_no_connect_and_is_retried_hourly(): void {
		$this->service->script( 'ConnectShop', array( 'accountName' => 'Corner Shop' ) );
		$this->service->script( 'ListQueue', new \WP_Error( 'http_request_failed', 'cURL error 28' ) );
		$this->services->get( Connector::class )->connect( self::connect_string() );
		$this->assertNotNull( $this->services->get( ConnectionStore::class )->current() );
		$this->script_held_entries( array(), 2 );
		do_action( 'tillsync_bridge_hourly' );
		$this->assertSame( 2, $this->services->get( HeldCount::class )->get() );
		$this->service->script( 'DisconnectShop', array() );
		$this->services->get( Connector::class )->disconnect();
		$this->assertSame( 0, $this->services->get( HeldCount::class )->get() );
	}

	public function test_a_held_order_with_a_row_is_not_changed(): void {
		$this->connect();
		$order = $this->due_order();
		$this->script_held_entries( array( self::entry( $order->get_id(), (string) $order->get_order_number() ) ), 1 );
		do_action( 'tillsync_bridge_hourly' );
		$this->assertSame( array( 'waiting', 1 ), array( $this->row( $order->get_id() )->state, $this->row( $order->get_id() )->revision ) );
	}

	public function test_connecting_closes_the_breaker(): void {
		$this->connect();
		$breaker = $this->services->get( Breaker::class );
		foreach ( range( 1, 8 ) as $try ) {
			$breaker->failed( new ServiceError( ServiceError::TRANSPORT, 0, 'not reached' ) );
		}
		$this->assertGreaterThan( $this->clock->now + 600, $breaker->open_until() );
		$this->service->script( 'ConnectShop', array( 'accountName' => 'Corner Shop' ) );
		$this->services->get( Connector::class )->reconnect();
		$this->assertSame( 0, $breaker->open_until() );
	}

	public function test_another_account_gets_nothing_of_the_previous_one(): void {
		$this->service->script( 'ConnectShop', array( 'accountName' => 'Corner Shop' ) );
		$this->services->get( Connector::class )->connect( self::connect_string() );
		$user  = $this->user();
		$order = $this->due_order( $user );
		$this->services->get( CustomerTable::class )->store( array( new CustomerItem( $user, 5, false, '120', '0', 7, 1767323045 ) ), 'x' );
		$this->services->get( Alerts::class )->open_for_order( "user:{$user}", 'OUTCOME_DUPLICATE_EMAIL', $user, $order->get_id() );
		$this->services->get( Backfill::class )->start( 30 );
		// Reconnecting to the same account keeps everything.
		$this->services->get( Connector::class )->connect( self::connect_string() );
		$this->assertSame( 'waiting', $this->row( $order->get_id() )->state );
		$this->assertSame( '120', $this->services->get( CustomerTable::class )->find( $user )->points );
		$this->assertNotNull( $this->services->get( Backfill::class )->added_count() );
		// Disconnecting in between makes no difference.
		$this->services->get( Connector::class )->disconnect();
		$this->services->get( Connector::class )->connect( self::connect_string( 'other-shop' ) );
		$this->assertSame( 'closed', $this->row( $order->get_id() )->state );
		$this->assertStringContainsString( 'another account', $this->row( $order->get_id() )->reason );
		$this->assertNull( $this->services->get( CustomerTable::class )->find( $user ) );
		$this->assertSame( array(), $this->services->get( Alerts::class )->all() );
		$this->assertNull( $this->services->get( Backfill::class )->added_count(), 'older orders were asked for of the account before' );
		$this->advance( 100 );
		$this->drain();
		$this->assertSame( array(), $this->service->messages( 'BatchMatchOrderCustomers' ) );
	}
}
