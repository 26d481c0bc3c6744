<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Health\Alert;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Health\AlertTexts;
use Tillsync\Bridge\Health\AlertTracker;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ServiceApi;

require_once __DIR__ . '/DrainTestCase.php';

final class DrainTest extends DrainTestCase {
	public function test_a_drain_sends_the_facts_of_the_moment_of_sending(): void {
		$user  = $this->user( 'customer', 'account@example.test' );
		$order = $this->due_order();
		$order->set_customer_id( $user );
		foreach ( array( 'first_name' => 'Ada', 'last_name' => 'Byron', 'company' => 'Engines', 'phone' => '+44 1', 'email' => 'Late@Example.test' ) as $name => $value ) {
			$order->{"set_billing_$name"}( $value );
		}
		$order->save();
		$this->advance( 31 );
		$this->assertSame( 1, $this->drain()->sent );
		$sent = $this->service->messages( 'BatchMatchOrderCustomers' )[0];
		$this->assertSame( 'corner-shop', $sent['accountId'] );
		$this->assertSame(
			array(
				'orderId'       => (string) $order->get_id(),
				'orderKey'      => hash( 'sha256', $order->get_order_key() ),
				'orderNumber'   => $order->get_order_number(),
				'createTime'    => gmdate( 'Y-m-d\TH:i:s\Z', $order->get_date_created()->getTimestamp() ),
				'billingEmail'  => $order->get_billing_email(),
				'firstName'     => 'Ada',
				'lastName'      => 'Byron',
				'company'       => 'Engines',
				'phone'         => '+44 1',
				'wooCustomerId' => (string) $user,
				'accountEmail'  => 'account@example.test',
			),
			$sent['orders'][0]['order']
		);
		$this->assertArrayNotHasKey( 'rerun', $sent['orders'][0] );
		$this->assertArrayNotHasKey( 'unlinkedProducts', $sent['orders'][0] );
	}

	/** @return array<string, mixed> The order as it was sent last. */
	private function last_sent(): array {
		$messages = $this->service->messages( 'BatchMatchOrderCustomers' );
		return end( $messages )['orders'][0]['order'];
	}

	public function test_the_registration_time_is_sent_to_a_service_that_ignores_unknown_fields(): void {
		global $wpdb;
		$user = $this->user( 'customer', 'account@example.test' );
		$sent = array();
		foreach ( array( array( '1', '2024-05-01 09:30:00' ), array( '2', '2024-05-01 09:30:00' ), array( '2', '0000-00-00 00:00:00' ) ) as list( $api, $registered ) ) {
			$this->service->api = $api;
			$this->services->get( ServiceApi::class )->store( $api );
			$wpdb->query( "SET SESSION sql_mode = ''" );
			$wpdb->update( $wpdb->users, array( 'user_registered' => $registered ), array( 'ID' => $user ) );
			clean_user_cache( $user );
			$this->due_order( $user );
			$this->advance( 31 );
			$this->drain();
			$sent[] = $this->last_sent()['wooRegisteredTime'] ?? null;
		}
		$this->assertSame( array( null, '2024-05-01T09:30:00Z', null ), $sent );
	}

	public function test_a_held_order_is_sent_again_for_another_person_and_not_after_an_update_of_the_service(): void {
		global $wpdb;
		$user  = $this->user( 'customer', 'account@example.test' );
		$order = $this->due_order( $user );
		$this->advance( 31 );
		$this->service->script( 'BatchMatchOrderCustomers', self::decided( 'ENTRY_STATE_HELD' ) );
		$this->service->script( 'BatchGetOrderMatches', array( 'results' => array( array( 'ok' => FakeService::match( $order->get_id(), 'ENTRY_STATE_HELD', 'OUTCOME_DUPLICATE_EMAIL', 'We could not auto-link' ) ) ) ) );
		$this->drain();
		$this->assertArrayNotHasKey( 'wooRegisteredTime', $this->last_sent() );
		$this->service->api = '2';
		$this->advance( 301 );
		$this->assertSame( 1, $this->drain()->polled );
		$this->assertSame( 2, $this->services->get( ServiceApi::class )->version() );
		$this->advance( 30000 );
		$this->assertSame( 1, $this->drain()->polled, 'the service was updated' );
		$this->assertCount( 1, $this->service->messages( 'BatchMatchOrderCustomers' ) );
		// A person requests a match, so the registration time is sent.
		$this->services->get( Outbox::class )->request_match( $order->get_id() );
		$this->drain();
		$this->assertArrayHasKey( 'wooRegisteredTime', $this->last_sent() );
		$wpdb->update( $wpdb->users, array( 'user_registered' => '2025-01-01 00:00:00' ), array( 'ID' => $user ) );
		clean_user_cache( $user );
		$this->advance( 30000 );
		$this->drain();
		$this->assertSame( '2025-01-01T00:00:00Z', $this->last_sent()['wooRegisteredTime'] );
		$this->assertCount( 3, $this->service->messages( 'BatchMatchOrderCustomers' ) );
	}

	public function test_without_an_order_key_the_creation_time_is_hashed_and_a_deleted_user_is_a_guest(): void {
		$order = $this->due_order( 999999 );
		$order->set_order_key( '' );
		$order->save();
		$this->advance( 31 );
		$this->drain();
		$sent = $this->service->messages( 'BatchMatchOrderCustomers' )[0]['orders'][0]['order'];
		$stored = wc_get_order( $order->get_id() );
		$this->assertSame( hash( 'sha256', '' === $stored->get_order_key() ? $sent['createTime'] : $stored->get_order_key() ), $sent['orderKey'] );
		$this->assertArrayNotHasKey( 'wooCustomerId', $sent );
		$this->assertArrayNotHasKey( 'accountEmail', $sent );
	}

	public function test_unlinked_products_come_from_the_filter_only(): void {
		add_filter( 'tillsync_unlinked_products', static fn() => array( array( 'product_id' => 5, 'sku' => 'A', 'name' => 'Tea' ), array( 'product_id' => 0 ), 'nonsense', array( 'product_id' => '6', 'variation_id' => 7 ) ) );
		$this->due_orders( 1 );
		$this->drain();
		$this->assertSame( array( array( 'productId' => '5', 'sku' => 'A', 'name' => 'Tea' ), array( 'productId' => '6', 'variationId' => '7' ) ), $this->service->messages( 'BatchMatchOrderCustomers' )[0]['orders'][0]['unlinkedProducts'] );
	}

	/** @group catches:rows-end-with-the-final-answer */
	public function test_a_row_is_polled_until_it_ends_with_the_final_answer(): void {
		$order = $this->due_orders( 1 )[0];
		$id    = $order->get_id();
		$this->drain();
		$this->assertSame( array( 'sent', 'ENTRY_STATE_PENDING' ), array( $this->row( $id )->state, $this->row( $id )->entry_state ) );
		$this->service->script( 'BatchGetOrderMatches', array( 'results' => array( array( 'ok' => FakeService::match( $id, 'ENTRY_STATE_HELD', 'OUTCOME_DUPLICATE_EMAIL', 'We could not auto-link' ) ) ) ) );
		$this->advance( 6 );
		$this->drain();
		$this->assertSame( array( 'sent', 'ENTRY_STATE_HELD' ), array( $this->row( $id )->state, $this->row( $id )->entry_state ) );
		$this->service->script( 'BatchGetOrderMatches', array( 'results' => array( array( 'ok' => FakeService::match( $id, 'ENTRY_STATE_PROCESSED', 'OUTCOME_MATCHED_LINK', 'Matched to the linked customer', 9 ) ) ) ) );
		$this->assertSame( 0, $this->drain()->polled, 'not due' );
		$this->services->get( Outbox::class )->request_poll( $id );
		$this->assertSame( 1, $this->drain()->ended );
		$this->assertSame( 'done', $this->row( $id )->state );
		$this->advance( 100000 );
		$this->assertSame( 0, $this->drain()->polled );
		$this->assertCount( 1, $this->service->messages( 'BatchMatchOrderCustomers' ) );
	}

	/** @dataProvider unsendable_orders */
	public function test_an_order_cancelled_or_deleted_before_it_is_sent_is_closed_with_a_reason( string $how, string $says ): void {
		$order = $this->due_orders( 1 )[0];
		$id    = $order->get_id();
		'deleted' === $how ? $order->delete( true ) : $order->update_status( $how );
		$this->assertSame( 1, $this->drain()->closed );
		$this->assertSame( 'closed', $this->row( $id )->state );
		$this->assertStringContainsString( $says, $this->row( $id )->reason );
		$this->assertSame( array(), $this->service->calls );
	}

	public function unsendable_orders(): array {
		return array( array( 'cancelled', 'Cancelled' ), array( 'trash', 'trash' ), array( 'deleted', 'deleted' ) );
	}

	public function test_only_the_bad_order_of_a_batch_fails_with_the_reason(): void {
		$orders = $this->due_orders( 3 );
		$bad    = $orders[1]->get_id();
		$this->service->script(
			'BatchMatchOrderCustomers',
			static function ( array $message ) use ( $bad ) {
				$answer = self::decided()( $message );
				foreach ( $message['orders'] as $position => $order ) {
					if ( $order['order']['orderId'] === (string) $bad ) {
						$answer['results'][ $position ] = array( 'error' => array( 'code' => 3, 'message' => 'billing_email: at most 254 characters' ) );
					}
				}
				return $answer;
			}
		);
		$report = $this->drain();
		$this->assertSame( array( 2, 1 ), array( $report->ended, $report->failed ) );
		$this->assertSame( 'failed', $this->row( $bad )->state );
		$this->assertStringContainsString( 'billing email (at most 254', $this->row( $bad )->reason );
	}

	public function test_a_refused_batch_is_halved_until_only_the_bad_order_fails(): void {
		$orders = $this->due_orders( 7 );
		$bad    = (string) $orders[4]->get_id();
		$this->service->script(
			'BatchMatchOrderCustomers',
			static fn( array $message ) => in_array( $bad, array_column( array_column( $message['orders'], 'order' ), 'orderId' ), true ) ? FakeService::error( 400, 'invalid_argument', 'no proto JSON' ) : self::decided()( $message )
		);
		$report = $this->drain();
		$this->assertSame( array( 6, 1, 0 ), array( $report->ended, $report->failed, $report->postponed ) );
		$this->assertSame( 'failed', $this->row( (int) $bad )->state );
		$this->assertSame( 0, $this->services->get( Breaker::class )->failures() );
	}

	public function test_an_order_that_the_service_postpones_stays_due(): void {
		$order = $this->due_orders( 1 )[0];
		$this->service->script( 'BatchMatchOrderCustomers', array( 'results' => array( array( 'error' => array( 'code' => 8, 'message' => 'too many waiting' ) ) ) ) );
		$this->assertSame( 1, $this->drain()->postponed );
		$this->assertSame( 'waiting', $this->row( $order->get_id() )->state );
		$this->assertStringContainsString( 'too many waiting', $this->row( $order->get_id() )->reason );
	}

	public function test_a_refused_order_says_what_to_change_until_it_is_accepted(): void {
		list( $order ) = $this->due_orders( 1 );
		$refused       = array( 'results' => array( array( 'error' => array( 'code' => 3, 'message' => 'orders[0].order.first_name: must not contain control characters; remove them' ) ) ) );
		$this->service->script( 'BatchMatchOrderCustomers', $refused, self::decided() );
		$this->drain();
		$row = $this->row( $order->get_id() );
		$this->assertSame( 'failed', $row->state );
		$this->assertStringContainsString( 'because of its billing first name (must not contain control characters', $row->reason );
		$alert = $this->services->get( Alerts::class )->find( Alert::REFUSED_ORDERS );
		$this->assertSame( array( $order->get_id() ), $alert->order_ids );
		$this->assertSame( $row->reason, $alert->text );
		$this->assertStringContainsString( "#{$order->get_order_number()}", AlertTexts::title( $alert ) );
		$this->assertSame( array( 'Edit order', $order->get_edit_order_url() ), array( AlertTexts::link( $alert ), AlertTexts::url( $alert ) ) );
		$this->services->get( AlertTracker::class )->check_account();
		$this->assertNotNull( $this->services->get( Alerts::class )->find( Alert::REFUSED_ORDERS ), 'the hourly check keeps it' );
		$this->services->get( Outbox::class )->request_match( $order->get_id() );
		$this->drain();
		$this->assertNull( $this->services->get( Alerts::class )->find( Alert::REFUSED_ORDERS ) );
	}

	/** @dataProvider refusals */
	public function test_a_refusal_pauses_the_outbox_with_one_notice( int $status, string $code ): void {
		$order   = $this->due_orders( 1 )[0];
		$notices = $this->calls_of( 'tillsync_outbox_paused' );
		$this->service->script( 'BatchMatchOrderCustomers', FakeService::error( $status, $code ) );
		$this->assertSame( 'paused', $this->drain()->stopped_by );
		$this->assertSame( 'paused', $this->drain()->stopped_by );
		$this->assertCount( 1, $this->service->calls );
		$this->assertSame( array( 'waiting', 0 ), array( $this->row( $order->get_id() )->state, $this->row( $order->get_id() )->attempts ) );
		$this->advance( 3601 );
		$this->drain();
		$this->assertCount( 2, $this->service->calls, 'once an hour it tries' );
		$this->assertCount( 1, $notices );
		$this->service->script( 'BatchMatchOrderCustomers', self::decided() );
		$this->services->get( OutboxPause::class )->resume();
		$this->assertSame( 1, $this->drain()->ended );
		$this->assertSame( 0, $this->services->get( OutboxPause::class )->since() );
	}

	public function refusals(): array {
		return array( array( 401, 'unauthenticated' ), array( 403, 'permission_denied' ) );
	}

	public function test_throttling_waits_for_retry_after_and_counts_no_attempt(): void {
		$order = $this->due_orders( 1 )[0];
		$this->service->script( 'BatchMatchOrderCustomers', array( 429, json_encode( array( 'code' => 'resource_exhausted' ) ), array( 'retry-after' => '40' ) ), self::decided() );
		$this->assertSame( 'throttled', $this->drain()->stopped_by );
		$this->assertSame( 0, $this->row( $order->get_id() )->attempts );
		$this->advance( 39 );
		$this->assertSame( 'breaker', $this->drain()->stopped_by );
		$this->advance( 1 );
		$this->assertSame( 1, $this->drain()->ended );
	}

	public function test_an_unreadable_order_does_not_delay_others(): void {
		$orders = $this->due_orders( 3 );
		$poison = $orders[0]->get_id();
		add_filter( 'tillsync_unlinked_products', static fn( $products, $order ) => $order->get_id() === $poison ? intdiv( 1, 0 ) : $products, 10, 2 );
		$report = $this->drain();
		$this->assertSame( array( 2, 1 ), array( $report->sent, $report->postponed ) );
		$this->assertStringContainsString( 'DivisionByZeroError', $this->row( $poison )->reason );
	}

	public function test_an_answer_is_polled_again_when_storing_it_fails(): void {
		$order = $this->due_orders( 1 )[0];
		$this->service->script( 'BatchMatchOrderCustomers', self::decided() );
		$fail = static function (): void {
			throw new \TypeError( 'somebody else' );
		};
		add_action( 'woocommerce_order_note_added', $fail );
		$this->drain();
		$this->assertSame( 'sent', $this->row( $order->get_id() )->state );
		remove_action( 'woocommerce_order_note_added', $fail );
		$this->service->script( 'BatchGetOrderMatches', array( 'results' => array( array( 'ok' => FakeService::match( $order->get_id(), 'ENTRY_STATE_PROCESSED', 'OUTCOME_MATCHED_EMAIL', 'Matched by email', 41 ) ) ) ) );
		$this->advance( 70 );
		$this->assertSame( 1, $this->drain()->ended );
	}

	public function test_an_order_that_becomes_due_during_the_last_send_is_sent(): void {
		$this->due_orders( 1 );
		$late = null;
		$this->service->script(
			'BatchMatchOrderCustomers',
			function ( array $message ) use ( &$late ) {
				if ( null === $late ) {
					$late = $this->order( 'pending' );
					$this->services->get( Outbox::class )->request_match( $late->get_id(), false );
				}
				return self::decided()( $message );
			}
		);
		$this->assertSame( 2, $this->drain()->ended );
	}

	public function test_a_held_order_whose_facts_have_changed_is_sent_again(): void {
		$order = $this->due_orders( 1 )[0];
		$this->service->script( 'BatchMatchOrderCustomers', self::decided( 'ENTRY_STATE_HELD' ) );
		$this->service->script( 'BatchGetOrderMatches', array( 'results' => array( array( 'ok' => FakeService::match( $order->get_id(), 'ENTRY_STATE_HELD', 'OUTCOME_DUPLICATE_EMAIL', 'We could not auto-link' ) ) ) ) );
		$this->drain();
		$order->set_billing_phone( '1' );
		$order->save();
		$this->advance( 301 );
		$this->assertSame( 1, $this->drain()->polled, 'a phone decides nothing' );
		$order->set_billing_email( 'right@example.test' );
		$order->save();
		$this->advance( 30000 );
		$this->drain();
		$sent = $this->service->messages( 'BatchMatchOrderCustomers' );
		$this->assertCount( 2, $sent );
		$this->assertSame( 'right@example.test', $sent[1]['orders'][0]['order']['billingEmail'] );
	}

	public function test_an_order_that_the_service_no_longer_has_is_sent_again(): void {
		$order = $this->due_orders( 1 )[0];
		$this->drain();
		$this->service->script( 'BatchGetOrderMatches', array( 'results' => array( array( 'error' => array( 'code' => 5, 'message' => 'never asked for' ) ) ) ) );
		$this->advance( 6 );
		$this->drain();
		$this->assertSame( 'waiting', $this->row( $order->get_id() )->state );
		$this->advance( 70 );
		$this->drain();
		$this->assertCount( 2, $this->service->messages( 'BatchMatchOrderCustomers' ) );
	}

	public function test_match_again_requests_one_rerun(): void {
		$order = $this->due_orders( 1 )[0];
		$this->service->script( 'BatchMatchOrderCustomers', self::decided() );
		$this->drain();
		$this->services->get( Outbox::class )->request_match( $order->get_id() );
		$this->services->get( Drain::class )->run_one( $order->get_id() );
		$sent = $this->service->messages( 'BatchMatchOrderCustomers' );
		$this->assertTrue( $sent[1]['orders'][0]['rerun'] );
		$this->assertFalse( $this->row( $order->get_id() )->rerun );
	}

	/** @group catches:failed-calls-keep-orders-waiting */
	public function test_an_answer_with_another_number_of_results_counts_as_a_failed_call(): void {
		$this->due_orders( 2 );
		$this->service->script( 'BatchMatchOrderCustomers', array( 'results' => array( array( 'ok' => array() ) ) ) );
		$report = $this->drain();
		$this->assertSame( array( 0, 2 ), array( $report->sent, $report->postponed ) );
	}
}
