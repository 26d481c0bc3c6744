<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Health\Alert;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Screens\OutcomeTexts;
use Tillsync\Bridge\Screens\QueueList;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Services;
use WP_REST_Request;
use WP_REST_Response;

require_once __DIR__ . '/FakeService.php';

/** Covers the routes of the queues page: the calls to the service, and the answers to the browser. */
final class ScreensQueuesTest extends SiteTestCase {

	private const ENTRY = array( 'entryId' => 'e-1', 'kind' => 'ENTRY_KIND_ORDER_CUSTOMER', 'state' => 'ENTRY_STATE_HELD', 'outcome' => 'OUTCOME_DUPLICATE_EMAIL', 'comment' => 'We could not auto-link …', 'orderId' => '77', 'wooCustomerId' => '12', 'subjectLabel' => 'Ada B., order 77', 'maskedAccountEmail' => 'a•••@e•••.test', 'createTime' => '2026-01-02T03:04:05.123Z' );

	private Services $services;
	private FakeService $service;

	protected function setUp(): void {
		parent::setUp();
		$this->services = Plugin::services();
		// Other test classes replaced the client in the same container. This restores the real one.
		$this->services->set( ServiceClient::class, ( new Services() )->get( ServiceClient::class ) );
		$this->services->get( ConnectionStore::class )->save( new Connection( 'https://sync.example.test', 'shop-1', 'tls_token', str_repeat( 's', 43 ), (string) get_option( 'home' ), 'production', 1 ) );
		$this->service = new FakeService();
		$GLOBALS['wp_rest_server'] = null;
		rest_get_server();
		wp_set_current_user( $this->user( 'shop_manager' ) );
		update_option( 'timezone_string', 'Europe/Berlin' );
		update_option( 'date_format', 'Y-m-d' );
		update_option( 'time_format', 'H:i' );
	}

	/** @param array<string, mixed> $values */
	private function request( string $method, string $route, array $values = array() ): WP_REST_Response {
		$request = new WP_REST_Request( $method, "/tillsync-bridge/v1/{$route}" );
		'GET' === $method ? $request->set_query_params( $values ) : $request->set_body_params( $values );
		return rest_do_request( $request );
	}

	public function test_a_page_calls_the_service_once_for_at_most_three_seconds(): void {
		$this->service->script( 'ListQueue', array( 'entries' => array( self::ENTRY ), 'nextPageToken' => 'more', 'stateCounts' => array( array( 'state' => 'ENTRY_STATE_HELD', 'count' => 4, 'capped' => true ) ) ) );
		$answer = $this->request( 'GET', 'queues', array( 'queue' => 'orders', 'state' => 'held', 'outcome' => 'OUTCOME_DUPLICATE_EMAIL', 'counts' => '1', 'page_token' => 'there' ) );
		$this->assertSame( 200, $answer->get_status() );
		$this->assertStringContainsString( 'no-store', $answer->get_headers()['Cache-Control'] );
		$this->assertCount( 1, $this->service->calls );
		$this->assertSame( 3, $this->service->calls[0]['arguments']['timeout'] );
		$this->assertSame( array( 'queue' => 'QUEUE_ORDERS', 'pageSize' => 25, 'states' => array( 'ENTRY_STATE_HELD' ), 'outcomes' => array( 'OUTCOME_DUPLICATE_EMAIL' ), 'pageToken' => 'there', 'withCounts' => true, 'accountId' => 'shop-1' ), $this->service->calls[0]['message'] );
		$row = $answer->get_data()['rows'][0];
		$this->assertSame( self::ENTRY['comment'], $row['comment'], 'verbatim' );
		$this->assertSame( 'At the service, waiting for a person', $row['where'] );
		$this->assertStringContainsString( 'several customers', $row['explained']['meaning'] );
		$this->assertSame( '2026-01-02 04:04', $row['created'], 'in the zone of the shop' );
		$this->assertTrue( $row['can_choose'] );
		$this->assertSame( array( 'held', 4, true ), array( $answer->get_data()['counts'][0]['state'], $answer->get_data()['counts'][0]['count'], $answer->get_data()['counts'][0]['capped'] ) );
		$this->assertSame( 4, $this->services->get( \Tillsync\Bridge\Events\HeldCount::class )->get(), 'the menu shows it without asking' );
	}

	/** @return array<string, array{0: string, 1: string, 2: string, 3: string}> */
	public static function searches(): array {
		return array(
			'an id of an order'    => array( 'orders', '#77', '"orderId":"77"', 'text' ),
			'an email'             => array( 'orders', ' Ada@example.test ', '"email":"Ada@example.test"', '' ),
			'a number with letters' => array( 'orders', 'A-77', '"text":"A-77"', '' ),
			'a till customer'      => array( 'customers', '77', '"eposCustomerId":"77"', 'text' ),
			'more digits than an id has' => array( 'orders', '1234567890123456789012', '"text":"1234567890123456789012"', '' ),
		);
	}

	/** @dataProvider searches */
	public function test_a_search_is_sent_as_its_most_likely_field( string $queue, string $search, string $expected, string $next ): void {
		$answer = $this->request( 'GET', 'queues', array( 'queue' => $queue, 'search' => $search ) )->get_data();
		$this->assertStringContainsString( $expected, (string) wp_json_encode( $this->service->calls[0]['message'] ) );
		$this->assertSame( $next, $answer['try_next'] );
	}

	public function test_an_email_on_the_customers_queue_finds_the_shops_customer(): void {
		$user = $this->user( 'customer', 'grace@example.test' );
		$this->request( 'GET', 'queues', array( 'queue' => 'customers', 'search' => 'grace@example.test' ) );
		$this->assertSame( (string) $user, $this->service->calls[0]['message']['wooCustomerId'] );
	}

	public function test_invalid_requests_are_refused_without_a_call_to_the_service(): void {
		foreach ( array( array( 'queue' => 'everything' ), array( 'queue' => 'orders', 'state' => 'lost' ), array( 'queue' => 'orders', 'outcome' => 'DROP TABLE' ), array( 'queue' => 'orders', 'search' => str_repeat( 'x', 255 ) ) ) as $values ) {
			$this->assertSame( 400, $this->request( 'GET', 'queues', $values )->get_status() );
		}
		$this->assertSame( 400, $this->request( 'POST', 'queues/entries/e-1/customer', array( 'epos_customer_id' => '0' ) )->get_status() );
		$this->assertSame( 404, $this->request( 'GET', 'queues/entries/a b' )->get_status() );
		$this->assertSame( 409, $this->request( 'POST', 'queues/retry', array( 'entry_ids' => array() ) )->get_status() );
		$this->assertSame( array(), $this->service->calls );
	}

	public function test_an_unknown_code_is_explained_by_the_service_with_one_call(): void {
		$this->service->script( 'ListQueue', array( 'entries' => array( array( 'outcome' => 'OUTCOME_OF_TOMORROW' ) + self::ENTRY ) ) );
		$this->service->script( 'ListMessages', array( 'messages' => array( array( 'outcome' => 'OUTCOME_OF_TOMORROW', 'meaning' => 'something new', 'whatToDo' => 'wait' ) ) ) );
		for ( $i = 0; $i < 3; $i++ ) {
			$explained = $this->request( 'GET', 'queues', array( 'queue' => 'orders' ) )->get_data()['rows'][0]['explained'];
			$this->assertSame( array( 'meaning' => 'something new', 'what_to_do' => 'wait', 'translated' => false ), $explained );
		}
		$this->assertCount( 1, $this->service->messages( 'ListMessages' ) );
	}

	public function test_every_outcome_has_a_name_and_a_meaning_and_a_remedy(): void {
		$this->assertCount( 14, OutcomeTexts::names() );
		foreach ( array_keys( OutcomeTexts::names() ) as $code ) {
			$this->assertNotSame( '', OutcomeTexts::of( $code )['meaning'], $code );
			$this->assertNotSame( '', OutcomeTexts::of( $code )['what_to_do'], $code );
		}
		$codes = array_merge( OutcomeTexts::of_queue( 'orders' ), OutcomeTexts::of_queue( 'customers' ) );
		$this->assertEqualsCanonicalizing( array_keys( OutcomeTexts::names() ), $codes );
	}

	public function test_a_retry_of_a_cause_counts_first_and_continues_by_its_token(): void {
		$this->service->script( 'RetryQueueEntries', array( 'affectedCount' => 7, 'coalescedCount' => 1, 'nextContinuationToken' => 'on' ) );
		$values = array( 'queue' => 'customers', 'outcome' => 'OUTCOME_EPOS_FETCH_FAILED', 'only_ask' => true );
		$this->assertSame( array( 'affected' => 7, 'joined' => 1, 'unchanged' => 0, 'failures' => array(), 'next' => 'on' ), $this->request( 'POST', 'queues/retry', $values )->get_data() );
		$this->request( 'POST', 'queues/retry', array( 'next' => 'on', 'only_ask' => false ) + $values );
		$filter = array( 'queue' => 'QUEUE_CUSTOMERS', 'outcomes' => array( 'OUTCOME_EPOS_FETCH_FAILED' ), 'states' => array( 'ENTRY_STATE_PENDING', 'ENTRY_STATE_HELD', 'ENTRY_STATE_FAILED' ) );
		$this->assertSame( array( array( 'filter' => $filter, 'validateOnly' => true, 'accountId' => 'shop-1' ), array( 'filter' => $filter, 'continuationToken' => 'on', 'accountId' => 'shop-1' ) ), $this->service->messages( 'RetryQueueEntries' ) );
	}

	public function test_a_retried_order_is_polled_soon(): void {
		$order = $this->order();
		$this->services->get( Outbox::class )->add( $order->get_id() );
		$row = $this->services->get( Outbox::class )->claim_one( $order->get_id(), 60 );
		$this->services->get( Outbox::class )->record( $row, array( 'state' => OutboxRow::SENT, 'due_at' => time() + 9000 ) );
		$this->service->script( 'RetryQueueEntries', array( 'affectedCount' => 1, 'entries' => array( array( 'orderId' => (string) $order->get_id() ) + self::ENTRY ) ) );
		$this->request( 'POST', 'queues/retry', array( 'entry_ids' => array( 'e-1' ) ) );
		$this->assertLessThanOrEqual( time(), $this->services->get( Outbox::class )->find( $order->get_id() )->due_at );
	}

	public function test_the_chooser_links_shoppers_and_not_guests(): void {
		$this->service->script( 'ListCandidates', array( 'entry' => self::ENTRY, 'candidates' => array( array( 'eposCustomerId' => '1', 'name' => 'Ada', 'signUpDate' => '2024-05-01T23:30:00' ), array( 'eposCustomerId' => '2', 'linkedWooCustomerId' => '12' ), array( 'eposCustomerId' => '3', 'linkedWooCustomerId' => '13', 'signUpDate' => 'soon' ) ) ) );
		$answer = $this->request( 'GET', 'queues/entries/e-1/candidates' )->get_data();
		$this->assertSame( array( false, false, true ), array_column( $answer['candidates'], 'taken' ), 'linked to this shopper already is not taken' );
		$this->assertSame( array( '2024-05-01', '', '' ), array_column( $answer['candidates'], 'sign_up_date' ), 'the till\'s own day, whatever the zone' );
		$this->service->script( 'GetQueueEntry', array( 'entry' => self::ENTRY ), array( 'entry' => array( 'wooCustomerId' => '0' ) + self::ENTRY ) );
		$this->service->script( 'ResolveOrderCustomer', array( 'entry' => self::ENTRY, 'releasedOrderCount' => 2 ), array( 'entry' => self::ENTRY ) );
		$message = $this->request( 'POST', 'queues/entries/e-1/customer', array( 'epos_customer_id' => '1' ) )->get_data()['message'];
		$this->assertStringContainsString( '2 further orders', $message );
		$this->request( 'POST', 'queues/entries/e-1/customer', array( 'epos_customer_id' => '1' ) );
		$this->assertSame( array( true, false ), array_map( static fn( array $message ) => $message['createLink'] ?? false, $this->service->messages( 'ResolveOrderCustomer' ) ) );
	}

	public function test_refusals_have_a_message_and_never_the_status_401(): void {
		foreach ( array( array( 401, 'unauthenticated', 409 ), array( 400, 'failed_precondition', 409 ), array( 503, 'unavailable', 503 ) ) as list( $status, $code, $expected_status ) ) {
			$this->service->script( 'ListQueue', FakeService::error( $status, $code, 'the reason' ) );
			$answer = $this->request( 'GET', 'queues', array( 'queue' => 'orders' ) );
			$this->assertSame( $expected_status, $answer->get_status() );
			$this->assertStringContainsString( 'the reason', $answer->get_data()['message'] );
		}
	}

	public function test_unsent_rows_are_listed_searched_and_sent(): void {
		$waits = $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) );
		$gone  = $this->order();
		foreach ( array( $waits, $gone ) as $order ) {
			$this->services->get( Outbox::class )->add( $order->get_id() );
		}
		$row = $this->services->get( Outbox::class )->claim_one( $gone->get_id(), 60 );
		$this->services->get( Outbox::class )->record( $row, array( 'state' => OutboxRow::SENT, 'entry_id' => 'e' ) );
		foreach ( array( '', "#{$waits->get_id()}", 'ada@example.test' ) as $search ) {
			$answer = $this->request( 'GET', 'queues/outbox', array( 'search' => $search ) )->get_data();
			$this->assertSame( array( (string) $waits->get_id() ), array_column( $answer['rows'], 'id' ), $search );
		}
		$this->assertSame( array(), $this->request( 'GET', 'queues/outbox', array( 'search' => 'grace@example.test' ) )->get_data()['rows'] );
		$this->service->script( 'BatchMatchOrderCustomers', FakeService::error( 401, 'unauthenticated', 'unknown token' ), array( 'results' => array( array( 'ok' => array( 'entry' => array( 'entryId' => 'e', 'state' => 'ENTRY_STATE_PENDING' ) ) ) ) ) );
		$message = $this->request( 'POST', "queues/outbox/{$waits->get_id()}/send" )->get_data()['message'];
		$this->assertStringContainsString( 'refuses this shop', $message );
		$this->assertStringContainsString( 'unknown token', $this->request( 'GET', 'queues/outbox' )->get_data()['hindrance'] );
		$this->assertSame( 'Sent to the service.', $this->request( 'POST', "queues/outbox/{$waits->get_id()}/send" )->get_data()['message'] );
		$this->assertStringContainsString( 'has left the shop', $this->request( 'POST', "queues/outbox/{$waits->get_id()}/send" )->get_data()['message'] );
	}

	public function test_the_problem_of_the_account_opens_and_closes_its_alert(): void {
		$this->service->script( 'ListQueue', array( 'problem' => array( 'reason' => 'PROBLEM_REASON_UNREACHABLE', 'text' => 'not reached: DNS' ) ), array() );
		$this->assertSame( array( 'not reached: DNS' ), $this->request( 'GET', 'queues', array( 'queue' => 'orders' ) )->get_data()['problems'] );
		$this->assertNotNull( $this->services->get( Alerts::class )->find( Alert::ACCOUNT_PROBLEM ) );
		$this->request( 'GET', 'queues', array( 'queue' => 'orders' ) );
		$this->assertNull( $this->services->get( Alerts::class )->find( Alert::ACCOUNT_PROBLEM ) );
	}

	public function test_a_problem_of_the_shop_is_shown_for_customers_and_not_for_orders(): void {
		$till   = array( 'reason' => 'PROBLEM_REASON_THROTTLED', 'side' => 'SIDE_TILL', 'text' => 'the till is over its limit' );
		$shop   = array( 'reason' => 'PROBLEM_REASON_UNREACHABLE', 'side' => 'SIDE_SHOP', 'text' => 'the shop is not reached' );
		$answer = array( 'problem' => $shop, 'problems' => array( $shop, $till ) );
		$this->service->script( 'ListQueue', $answer, $answer );
		$this->assertSame( array( 'the till is over its limit' ), $this->request( 'GET', 'queues', array( 'queue' => 'orders' ) )->get_data()['problems'] );
		$this->assertSame( array( 'the shop is not reached', 'the till is over its limit' ), $this->request( 'GET', 'queues', array( 'queue' => 'customers' ) )->get_data()['problems'] );
	}

	public function test_dismissing_a_cause_affects_one_user_only(): void {
		$this->services->get( Alerts::class )->open( Alert::REFUSED, '' );
		$this->assertTrue( $this->request( 'POST', 'notices/dismiss', array( 'key' => 'refused' ) )->get_data()['dismissed'] );
		$this->assertFalse( $this->request( 'POST', 'notices/dismiss', array( 'key' => 'user:99' ) )->get_data()['dismissed'] );
		$this->assertSame( array( get_current_user_id() ), $this->services->get( Alerts::class )->find( Alert::REFUSED )->dismissed_by );
		$this->services->get( Alerts::class )->close( Alert::REFUSED );
		$this->services->get( Alerts::class )->open( Alert::REFUSED, '' );
		$this->assertSame( array(), $this->services->get( Alerts::class )->find( Alert::REFUSED )->dismissed_by, 'a new one is shown again' );
	}
}
