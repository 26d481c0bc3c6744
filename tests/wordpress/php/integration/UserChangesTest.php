<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\AccountChange;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Customers\CustomerItem;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ServiceApi;
use Tillsync\Bridge\Users\UserChanges;

require_once __DIR__ . '/BridgeTestCase.php';

/** Covers deleted users and changed emails, which hooks store and the drain reports. */
final class UserChangesTest extends BridgeTestCase {

	private const REGISTERED = '2024-05-01 09:30:00';
	private const TIME       = '2024-05-01T09:30:00Z';

	protected function setUp(): void {
		parent::setUp();
		$this->connect();
		$this->set_service_api( '2' );
		require_once ABSPATH . 'wp-admin/includes/user.php';
	}

	private function set_service_api( string $api ): void {
		$this->service->api = $api;
		$this->services->get( ServiceApi::class )->store( $api );
	}

	/** Creates a user for whom the till has written values. */
	private function synced_user( string $email = '' ): int {
		global $wpdb;
		$user = $this->user( 'customer', $email );
		$wpdb->update( $wpdb->users, array( 'user_registered' => self::REGISTERED ), array( 'ID' => $user ) );
		clean_user_cache( $user );
		$this->services->get( CustomerTable::class )->store( array( new CustomerItem( $user, 1, false, '5' ) ), 'x' );
		return $user;
	}

	/** @return array<int, array<int, mixed>> Stored changes, without id and time. */
	private function stored_changes(): array {
		global $wpdb;
		return array_map( static fn( $row ) => array( (int) $row->user_id, $row->kind, (int) $row->registered ), $wpdb->get_results( "SELECT * FROM {$wpdb->prefix}tillsync_user_changes ORDER BY id" ) );
	}

	/** @return array<int, array<string, mixed>> Reported changes, without times. */
	private function reported_changes(): array {
		$changes = array_merge( ...array_column( $this->service->messages( 'ReportShopUsers' ), 'changes' ) );
		return array_map( static fn( array $change ) => array_diff_key( $change, array( 'changeTime' => true ) ), $changes );
	}

	private function change_email( int $user, string $email ): void {
		$this->assertSame( $user, wp_update_user( array( 'ID' => $user, 'user_email' => $email ) ) );
	}

	private static function hash( string $email ): string {
		return hash_hmac( 'sha256', $email, self::SECRET );
	}

	public function test_a_deleted_user_is_reported_with_the_registration_time(): void {
		$user = $this->synced_user();
		wp_delete_user( $user );
		$this->assertSame( array( array( $user, 'deleted', 1714555800 ) ), $this->stored_changes() );
		$this->assertSame( array(), $this->service->calls, 'no request in a hook' );
		$this->assertSame( 1, $this->drain()->users );
		$message = $this->service->messages( 'ReportShopUsers' )[0];
		$this->assertSame( 'corner-shop', $message['accountId'] );
		$this->assertSame( array( 'wooCustomerId', 'changeTime', 'wooRegisteredTime', 'deleted' ), array_keys( $message['changes'][0] ) );
		$this->assertSame( array( array( 'wooCustomerId' => (string) $user, 'wooRegisteredTime' => self::TIME, 'deleted' => true ) ), $this->reported_changes() );
		$this->assertEqualsWithDelta( time(), strtotime( $message['changes'][0]['changeTime'] ), 5 );
		$this->assertStringEndsWith( '/tillsync.v1.LinkService/ReportShopUsers', $this->service->calls[0]['url'] );
		$this->assertSame( array(), $this->stored_changes() );
		$this->drain();
		$this->assertCount( 1, $this->service->calls );
	}

	public function test_a_changed_email_is_reported_as_a_keyed_hash_of_the_newest_email(): void {
		$user = $this->synced_user( 'ada@example.test' );
		$this->change_email( $user, 'ada@Example.test' );
		$this->assertSame( array(), $this->stored_changes(), 'the same email in other letters' );
		wp_update_user( array( 'ID' => $user, 'display_name' => 'Ada' ) );
		$this->assertSame( array(), $this->stored_changes() );
		$this->change_email( $user, 'Byron@Example.test' );
		$this->change_email( $user, 'Ada.Byron@Example.test' );
		$this->assertSame( array( array( $user, 'email', 1714555800 ) ), $this->stored_changes() );
		$this->drain();
		$this->assertSame( array( array( 'wooCustomerId' => (string) $user, 'wooRegisteredTime' => self::TIME, 'emailHash' => self::hash( 'ada.byron@example.test' ) ) ), $this->reported_changes() );
		$this->assertStringNotContainsStringIgnoringCase( 'example.test', (string) wp_json_encode( $this->service->messages( 'ReportShopUsers' ) ) );
	}

	public function test_changes_are_stored_only_for_users_with_orders_or_values_in_a_connected_shop(): void {
		$spam = $this->user();
		$this->change_email( $spam, 'other@example.test' );
		wp_delete_user( $spam );
		$buyer = $this->user();
		$this->order( 'completed', $buyer );
		$synced = $this->synced_user();
		$this->services->get( ConnectionStore::class )->forget();
		$this->change_email( $synced, 'changed@example.test' );
		wp_delete_user( $synced );
		$this->assertSame( array(), $this->stored_changes() );
		$this->connect();
		wp_delete_user( $buyer );
		$this->assertSame( array( $buyer ), array_column( $this->stored_changes(), 0 ) );
		do_action( 'delete_user', 'nonsense', null, new \WP_User() );
		do_action( 'deleted_user', $synced, null, new \WP_User() );
		do_action( 'profile_update', 999999, null, array() );
		$this->assertCount( 1, $this->stored_changes() );
	}

	public function test_two_persons_of_one_user_id_are_two_changes(): void {
		$user = $this->synced_user();
		foreach ( array( 1714555800, 1714555800, 1800000000 ) as $registered ) {
			$this->services->get( UserChanges::class )->add( $user, UserChanges::DELETED, $registered );
		}
		$this->assertSame( array( array( $user, 'deleted', 1714555800 ), array( $user, 'deleted', 1800000000 ) ), $this->stored_changes() );
		// The email is reported only for the person whose change it was.
		$this->services->get( UserChanges::class )->add( $user, UserChanges::EMAIL, 1800000000 );
		$this->drain();
		$this->assertSame( array( true, true ), array_column( $this->reported_changes(), 'deleted' ) );
		$this->assertCount( 2, $this->reported_changes() );
		$this->assertSame( array(), $this->stored_changes() );
	}

	public function test_a_change_stored_while_another_is_reported_stays(): void {
		$user = $this->synced_user();
		$this->change_email( $user, 'one@example.test' );
		$this->service->script(
			'ReportShopUsers',
			function () use ( $user ) {
				if ( 1 === count( $this->service->calls ) ) {
					$this->change_email( $user, 'two@example.test' );
				}
				return array();
			}
		);
		$this->drain();
		$this->assertSame( array( self::hash( 'one@example.test' ), self::hash( 'two@example.test' ) ), array_column( $this->reported_changes(), 'emailHash' ) );
	}

	/** @dataProvider unknown_call_answers */
	public function test_a_service_without_the_call_gets_orders_and_the_changes_later( array $answer ): void {
		$this->services->get( UserChanges::class )->add( 49, UserChanges::DELETED, 0 );
		$order = $this->due_order();
		$this->clock->now = time() + 31;
		$this->service->script( 'ReportShopUsers', $answer, array() );
		$report = $this->drain();
		$this->assertSame( array( 1, 0 ), array( $report->sent, $report->users ) );
		$this->assertSame( array( '', 0 ), array( $report->stopped_by, $this->services->get( Breaker::class )->failures() ) );
		$this->assertCount( 1, $this->stored_changes() );
		$this->services->get( Outbox::class )->request_match( $order->get_id() );
		$this->drain();
		$this->assertCount( 1, $this->service->messages( 'ReportShopUsers' ), 'not at once again' );
		$this->advance( 3600 );
		$this->assertTrue( $this->services->get( Drain::class )->is_due() );
		$this->assertSame( 1, $this->drain()->users );
		$this->assertSame( array(), $this->stored_changes() );
	}

	/** @return array<string, array<int, mixed>> */
	public function unknown_call_answers(): array {
		return array(
			'another release'  => array( FakeService::error( 501, 'unimplemented' ) ),
			'no such account'  => array( FakeService::error( 404, 'not_found' ) ),
			'a path not there' => array( array( 404, 'not here', array( 'content-type' => 'text/plain' ) ) ),
		);
	}

	public function test_changes_are_not_sent_to_an_earlier_service_and_make_no_drain_due(): void {
		$this->set_service_api( '1' );
		$this->services->get( UserChanges::class )->add( 49, UserChanges::DELETED, 0 );
		$this->assertFalse( $this->services->get( Drain::class )->is_due() );
		$this->drain();
		$this->assertSame( array(), $this->service->calls );
		$this->set_service_api( '2' );
		$this->assertTrue( $this->services->get( Drain::class )->is_due() );
		$this->assertSame( 1, $this->drain()->users );
	}

	public function test_a_failed_report_of_changes_delays_no_order(): void {
		$this->services->get( UserChanges::class )->add( 49, UserChanges::DELETED, 0 );
		$order = $this->due_order();
		$this->clock->now = time() + 31;
		$this->service->script( 'ReportShopUsers', new \WP_Error( 'http_request_failed', 'cURL error 28' ), FakeService::error( 500, 'internal' ), array() );
		$report = $this->drain();
		$this->assertSame( array( 1, 1, '' ), array( $report->sent, $report->failed_calls, $report->stopped_by ) );
		foreach ( array( 1, 2 ) as $calls ) {
			$this->advance( 299 );
			$this->services->get( Outbox::class )->request_match( $order->get_id() );
			$this->assertSame( 1, $this->drain()->sent );
			$this->assertCount( $calls, $this->service->messages( 'ReportShopUsers' ), 'five minutes later' );
			$this->advance( 1 );
			$this->assertTrue( $this->services->get( Drain::class )->is_due() );
			$report = $this->drain();
		}
		$this->assertSame( array( 1, 0 ), array( $report->users, $this->services->get( Breaker::class )->failures() ) );
	}

	public function test_a_refused_report_pauses_the_outbox_and_a_throttled_one_waits(): void {
		$this->services->get( UserChanges::class )->add( 49, UserChanges::DELETED, 0 );
		$this->service->script( 'ReportShopUsers', array( 429, json_encode( array( 'code' => 'resource_exhausted' ) ), array( 'retry-after' => '40' ) ), FakeService::error( 401, 'unauthenticated' ), array() );
		$this->assertSame( 'throttled', $this->drain()->stopped_by );
		$this->advance( 39 );
		$this->assertSame( 'breaker', $this->drain()->stopped_by );
		$this->advance( 1 );
		$this->assertSame( 'paused', $this->drain()->stopped_by );
		$this->assertSame( 'paused', $this->drain()->stopped_by );
		$this->advance( 3601 );
		$report = $this->drain();
		$this->assertSame( array( '', 1 ), array( $report->stopped_by, $report->users ) );
		$this->assertCount( 3, $this->service->calls );
	}

	public function test_one_refused_change_does_not_delay_the_others(): void {
		foreach ( range( 1, 7 ) as $user ) {
			$this->services->get( UserChanges::class )->add( $user, UserChanges::DELETED, 0 );
		}
		$this->service->script( 'ReportShopUsers', static fn( array $message ) => in_array( '5', array_column( $message['changes'], 'wooCustomerId' ), true ) ? FakeService::error( 400, 'invalid_argument' ) : array() );
		$this->assertSame( 6, $this->drain()->users );
		$this->assertSame( array(), $this->stored_changes() );
	}

	public function test_an_unwritable_database_ends_the_drain(): void {
		$user = $this->synced_user();
		$this->change_email( $user, 'byron@example.test' );
		add_filter( 'query', static fn( $sql ) => 1 === preg_match( '/^\s*(DELETE|UPDATE).*tillsync_user_changes/', $sql ) ? '' : $sql );
		$this->assertSame( 'table', $this->drain()->stopped_by );
		$this->assertCount( 1, $this->service->calls );
	}

	public function test_a_copy_reports_no_change(): void {
		$this->connect( 'https://elsewhere.example.test' );
		$this->services->get( UserChanges::class )->add( 49, UserChanges::DELETED, 0 );
		$this->assertSame( 'not_connected', $this->drain()->stopped_by );
		$this->assertSame( array(), $this->service->calls );
	}

	public function test_another_account_gets_no_earlier_change(): void {
		update_option( 'tillsync_bridge_last_account', 'corner-shop' );
		$this->services->get( UserChanges::class )->add( 49, UserChanges::DELETED, 0 );
		$this->services->get( AccountChange::class )->connected( 'corner-shop' );
		$this->assertCount( 1, $this->stored_changes() );
		$this->services->get( AccountChange::class )->connected( 'other-shop' );
		$this->assertSame( array(), $this->stored_changes() );
	}

	public function test_held_orders_of_a_changed_email_are_sent_again_at_once_also_to_an_earlier_service(): void {
		$this->set_service_api( '1' );
		$user   = $this->synced_user( 'ada@example.test' );
		$orders = array( $this->due_order( $user ), $this->due_order( $user ), $this->due_order( 0 ) );
		$this->clock->now = time() + 31;
		$state  = static fn( string $id ) => (string) $orders[1]->get_id() === $id ? 'ENTRY_STATE_PROCESSED' : 'ENTRY_STATE_HELD';
		$this->service->script( 'BatchMatchOrderCustomers', static fn( array $message ) => array( 'results' => array_map( static fn( $order ) => array( 'ok' => array( 'entry' => array( 'entryId' => 'e' . $order['order']['orderId'], 'state' => $state( $order['order']['orderId'] ) ), 'outcome' => 'OUTCOME_DUPLICATE_EMAIL', 'comment' => 'said so' ) ), $message['orders'] ) ) );
		$this->drain();
		$this->change_email( $user, 'byron@example.test' );
		$this->assertTrue( $this->services->get( Drain::class )->is_due() );
		$this->drain();
		$sent = $this->service->messages( 'BatchMatchOrderCustomers' );
		$this->assertCount( 2, $sent );
		$this->assertSame( array( (string) $orders[0]->get_id() ), array_column( array_column( $sent[1]['orders'], 'order' ), 'orderId' ) );
		$this->assertSame( 'byron@example.test', $sent[1]['orders'][0]['order']['accountEmail'] );
		$this->assertArrayNotHasKey( 'rerun', $sent[1]['orders'][0] );
		$this->assertCount( 1, $this->stored_changes(), 'kept for a service that can hear of it' );
		$this->drain();
		$this->assertCount( 2, $this->service->messages( 'BatchMatchOrderCustomers' ), 'once' );
	}

	public function test_the_oldest_changes_beyond_the_limit_are_deleted(): void {
		foreach ( range( 1, 5 ) as $user ) {
			$this->services->get( UserChanges::class )->add( $user, UserChanges::DELETED, 0 );
		}
		foreach ( array( 5, 3 ) as $limit ) {
			$this->services->get( UserChanges::class )->trim( $limit );
			$this->assertSame( range( 6 - $limit, 5 ), array_column( $this->stored_changes(), 0 ) );
		}
	}
}
