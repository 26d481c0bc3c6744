<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Health\Alert;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Health\AlertTexts;
use Tillsync\Bridge\Health\AlertTracker;
use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;
use WC_Order;

/** Covers alerts for the merchant: one a person or account, opened and closed by the answers of a drain. */
final class ScreensAlertsTest extends SiteTestCase {

	private Services $services;

	protected function setUp(): void {
		parent::setUp();
		$this->services = Plugin::services();
	}

	private function alerts(): Alerts {
		return $this->services->get( Alerts::class );
	}

	/** @param string[] $causes */
	private function answer( WC_Order $order, string $state, string $outcome = 'OUTCOME_DUPLICATE_EMAIL', array $causes = array() ): void {
		$answer = new Answer( 'entry', $state, $outcome, 'comment', array(), $causes, '0' );
		do_action( 'tillsync_order_answered', $order->get_id(), $answer->to_stored() );
	}

	public function test_a_person_has_one_alert_for_all_waiting_orders(): void {
		$user   = $this->user();
		$orders = array( $this->order( 'processing', $user ), $this->order( 'processing', $user ), $this->order( 'processing', $user ) );
		foreach ( $orders as $order ) {
			$this->answer( $order, Answer::HELD );
			$this->answer( $order, Answer::HELD );
		}
		$all = $this->alerts()->all();
		$this->assertCount( 1, $all );
		$this->assertSame( "user:{$user}", $all[0]->key );
		$this->assertSame( 'OUTCOME_DUPLICATE_EMAIL', $all[0]->code );
		$this->assertSame( array_map( static fn( WC_Order $order ) => $order->get_id(), $orders ), $all[0]->order_ids );
		$this->answer( $orders[0], Answer::PENDING );
		$this->assertCount( 3, $this->alerts()->all()[0]->order_ids, 'an order that runs again decides when it has run' );
		$this->answer( $orders[0], Answer::PROCESSED );
		$this->answer( $orders[1], Answer::FAILED );
		$this->assertSame( array( $orders[2]->get_id() ), $this->alerts()->all()[0]->order_ids );
		$this->answer( $orders[2], 'ENTRY_STATE_DISMISSED' );
		$this->assertSame( array(), $this->alerts()->all() );
	}

	public function test_guests_are_distinguished_by_their_email_which_is_not_stored(): void {
		$this->answer( $this->order( 'processing', 0, array( 'email' => 'Ada@Example.test' ) ), Answer::HELD );
		$this->answer( $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) ), Answer::HELD );
		$this->answer( $this->order( 'processing', 0, array( 'email' => 'grace@example.test' ) ), Answer::HELD );
		$all = $this->alerts()->all();
		$this->assertCount( 2, $all );
		$this->assertStringNotContainsString( 'example', wp_json_encode( array_map( static fn( Alert $alert ) => $alert->to_stored(), $all ) ) );
		$this->assertStringContainsString( 'review: several till customers', AlertTexts::title( $all[0] ) );
	}

	public function test_settings_and_products_have_alerts_of_the_account(): void {
		$this->services->get( SiteSettings::class )->store( array( 'settings' => array( 'customerSyncEnabled' => true, 'defaultEposCustomerId' => '0' ) ) );
		$guest = $this->order( 'processing', 0, array( 'email' => 'ada@example.test' ) );
		$this->answer( $guest, Answer::HELD, 'OUTCOME_CUSTOMER_NOT_MATCHED' );
		$this->answer( $this->order( 'processing', 0, array( 'email' => 'grace@example.test' ) ), Answer::HELD, 'OUTCOME_CUSTOMER_NOT_MATCHED' );
		$this->answer( $this->order( 'processing', $this->user() ), Answer::HELD, 'OUTCOME_PRODUCT_NOT_MATCHED' );
		$shopper = $this->user();
		$this->answer( $this->order( 'processing', $shopper ), Answer::HELD, 'OUTCOME_PRODUCT_AND_CUSTOMER_NOT_MATCHED', array( 'OUTCOME_DUPLICATE_EMAIL' ) );
		$this->assertSame( array( 'default_customer', 'products', "user:{$shopper}" ), self::sorted( $this->alerts()->all() ) );
		// The merchant has made the setting. The same orders are held for another cause, or are no longer held.
		$this->services->get( SiteSettings::class )->store( array( 'settings' => array( 'customerSyncEnabled' => true, 'defaultEposCustomerId' => '7' ) ) );
		$this->answer( $guest, Answer::HELD, 'OUTCOME_DUPLICATE_EMAIL' );
		$default = $this->alerts()->find( Alert::DEFAULT_CUSTOMER );
		$this->assertNotNull( $default );
		$this->assertCount( 1, $default->order_ids, 'an order stands under one alert' );
	}

	public function test_refusals_and_problems_of_the_account_open_and_close_alerts(): void {
		$this->services->get( OutboxPause::class )->pause( new ServiceError( 'unauthenticated', 401, 'unknown token' ) );
		$this->assertSame( array( Alert::REFUSED ), self::sorted( $this->alerts()->all() ) );
		$this->assertStringContainsString( 'unknown token', $this->alerts()->all()[0]->text );
		$this->services->get( OutboxPause::class )->resume();
		$this->assertSame( array(), $this->alerts()->all() );
		$tracker = $this->services->get( AlertTracker::class );
		$tracker->problem( array( 'reason' => 'PROBLEM_REASON_CREDENTIALS_REFUSED', 'text' => 'the till refuses the key' ) );
		$since = $this->alerts()->all()[0]->since;
		$this->assertStringContainsString( 'Test connection', AlertTexts::what_to_do( $this->alerts()->all()[0] ), 'which side is not known' );
		$tracker->problem( array( 'reason' => 'PROBLEM_REASON_CREDENTIALS_REFUSED', 'side' => 'SIDE_SHOP', 'text' => 'the shop refuses us' ) );
		$this->assertStringContainsString( 'Test connection', AlertTexts::what_to_do( $this->alerts()->all()[0] ), 'a plugin, a firewall or the secret: a test tells' );
		$tracker->problem( array( 'reason' => 'PROBLEM_REASON_CREDENTIALS_REFUSED', 'side' => 'SIDE_TILL', 'text' => 'the till refuses the key' ) );
		$this->assertSame( 'Epos Now refused the API credentials. All customers and orders wait', AlertTexts::title( $this->alerts()->all()[0] ) );
		$this->assertStringContainsString( 'Ask your tillsync operator', AlertTexts::what_to_do( $this->alerts()->all()[0] ) );
		$tracker->problem( array( 'reason' => 'PROBLEM_REASON_CREDENTIALS_REFUSED', 'text' => 'the till still refuses the key' ) );
		$this->assertSame( 'the till still refuses the key', $this->alerts()->all()[0]->text );
		$this->assertSame( $since, $this->alerts()->all()[0]->since );
		$tracker->problem( array( 'reason' => 'PROBLEM_REASON_THROTTLED', 'text' => 'too many requests' ) );
		$this->assertSame( array(), $this->alerts()->all(), 'throttling ends by itself' );
	}

	public function test_the_hourly_check_closes_alerts_of_orders_that_no_longer_wait(): void {
		$gone  = $this->order( 'processing', $this->user() );
		$stays = $this->order( 'processing', $this->user() );
		$ended = $this->order( 'processing', $this->user() );
		foreach ( array( $gone, $stays, $ended ) as $order ) {
			$this->services->get( Outbox::class )->add( $order->get_id() );
			$row = $this->services->get( Outbox::class )->claim_one( $order->get_id(), 60 );
			$this->services->get( Outbox::class )->record( $row, array( 'state' => OutboxRow::SENT, 'entry_state' => $order === $ended ? Answer::PROCESSED : Answer::HELD ) );
			$this->answer( $order, Answer::HELD );
		}
		$gone->delete( true );
		do_action( 'tillsync_bridge_hourly' );
		$this->assertSame( array( array( $stays->get_id() ) ), array_map( static fn( Alert $alert ) => $alert->order_ids, $this->alerts()->all() ) );
	}

	public function test_the_menu_count_is_updated_after_answers_without_a_call(): void {
		foreach ( array( Answer::HELD, Answer::HELD, Answer::PENDING ) as $state ) {
			$order = $this->order( 'processing', $this->user() );
			$this->services->get( Outbox::class )->add( $order->get_id() );
			$this->answer( $order, $state );
			$this->services->get( Outbox::class )->record( $this->services->get( Outbox::class )->claim_one( $order->get_id(), 60 ), array( 'state' => OutboxRow::SENT, 'entry_state' => $state ) );
		}
		$this->services->get( AlertTracker::class )->count_held();
		$this->assertSame( 2, $this->services->get( \Tillsync\Bridge\Events\HeldCount::class )->get() );
		$this->assertNotFalse( has_action( 'shutdown', array( $this->services->get( AlertTracker::class ), 'count_held' ) ) );
	}

	public function test_disconnecting_deletes_all_alerts(): void {
		$this->answer( $this->order( 'processing', $this->user() ), Answer::HELD );
		do_action( 'tillsync_disconnected' );
		$this->assertSame( array(), $this->alerts()->all() );
	}

	/**
	 * @param Alert[] $alerts
	 * @return string[]
	 */
	private static function sorted( array $alerts ): array {
		$keys = array_map( static fn( Alert $alert ) => $alert->key, $alerts );
		sort( $keys );
		return $keys;
	}
}
