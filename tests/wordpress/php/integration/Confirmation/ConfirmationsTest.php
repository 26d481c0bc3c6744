<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Confirmation\ConfirmationKey;
use Tillsync\Bridge\Confirmation\ConfirmationLink;
use Tillsync\Bridge\Confirmation\Confirmations;
use Tillsync\Bridge\Confirmation\ConfirmationTable;
use Tillsync\Bridge\Orders\OrderFacts;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\Privacy\ShopPerson;
use WP_User;

require_once dirname( __DIR__ ) . '/BridgeTestCase.php';

/** Covers what confirms an email, what makes an email unconfirmed again, and which confirmation orders send. */
final class ConfirmationsTest extends BridgeTestCase {

	private function person( string $email = 'ada@example.test' ): WP_User {
		return get_userdata( $this->user( 'customer', $email ) );
	}

	private function state( WP_User $user ): string {
		clean_user_cache( $user->ID );
		return $this->services->get( Confirmations::class )->state( get_userdata( $user->ID ) );
	}

	private function change_email( WP_User $user, string $email ): void {
		add_filter( 'send_email_change_email', '__return_false' );
		wp_update_user( array( 'ID' => $user->ID, 'user_email' => $email ) );
	}

	public function test_a_registration_leaves_the_email_unconfirmed(): void {
		$this->assertSame( Confirmations::UNCONFIRMED, $this->state( $this->person() ) );
	}

	public function test_setting_a_password_through_a_mailed_link_confirms_the_email(): void {
		$user = $this->person();
		$key  = get_password_reset_key( $user );
		$this->assertIsString( $key );
		$checked = check_password_reset_key( $key, $user->user_login );
		$this->assertInstanceOf( WP_User::class, $checked );
		reset_password( $checked, 'another-password-of-the-tests' );
		$this->assertSame( Confirmations::CONFIRMED, $this->state( $user ) );
	}

	/** @group catches:only-a-mailed-key-confirms */
	public function test_setting_a_password_without_a_mailed_link_confirms_nothing(): void {
		$user = $this->person();
		reset_password( $user, 'another-password-of-the-tests' );
		$this->assertSame( Confirmations::UNCONFIRMED, $this->state( $user ) );
		wp_set_password( 'and-another', $user->ID );
		wp_update_user( array( 'ID' => $user->ID, 'user_pass' => 'and-one-more' ) );
		$this->assertSame( Confirmations::UNCONFIRMED, $this->state( $user ) );
	}

	public function test_a_key_mailed_to_the_previous_email_confirms_nothing(): void {
		$user = $this->person( 'eve@example.test' );
		$key  = get_password_reset_key( $user );
		$this->change_email( $user, 'ada@example.test' );
		$this->assertInstanceOf( \WP_Error::class, check_password_reset_key( $key, $user->user_login ) );
		reset_password( get_userdata( $user->ID ), 'another-password-of-the-tests' );
		$this->assertSame( Confirmations::CHANGED, $this->state( $user ) );
	}

	public function test_a_changed_email_is_unconfirmed_and_the_confirmed_one_is_remembered(): void {
		$user = $this->person();
		$this->services->get( Confirmations::class )->confirm( $user, Confirmations::BY_ADMIN );
		$this->change_email( $user, 'other@example.test' );
		$this->assertSame( Confirmations::CHANGED, $this->state( $user ) );
		$this->change_email( $user, 'ADA@example.test' );
		$this->assertSame( Confirmations::CONFIRMED, $this->state( $user ), 'capitals make no other email, as WordPress has it' );
	}

	public function test_a_changed_unconfirmed_email_differs_from_the_registered_one(): void {
		$user = $this->person();
		wp_update_user( array( 'ID' => $user->ID, 'first_name' => 'Ada' ) );
		$this->assertSame( Confirmations::UNCONFIRMED, $this->state( $user ) );
		$this->change_email( $user, 'other@example.test' );
		$this->change_email( $user, 'ada@example.test' );
		$this->assertSame( Confirmations::CHANGED, $this->state( $user ) );
	}

	public function test_woocommerces_filter_confirms_an_email_while_it_is_set(): void {
		$user = $this->person();
		add_filter( 'woocommerce_customer_email_is_verified', static fn( $is, $id = 0 ) => $id === $user->ID, 10, 2 );
		$this->assertSame( Confirmations::CONFIRMED, $this->state( $user ) );
		$this->assertSame( Confirmations::UNCONFIRMED, $this->state( $this->person( 'ben@example.test' ) ) );
		remove_all_filters( 'woocommerce_customer_email_is_verified' );
		$this->assertSame( Confirmations::UNCONFIRMED, $this->state( $user ) );
	}

	/** WooCommerce 11 marks the email as verified after each reset_password(). */
	public function test_woocommerces_flag_of_a_password_without_a_mailed_link_confirms_nothing(): void {
		$user = $this->person();
		reset_password( $user, 'another-password-of-the-tests' );
		add_filter( 'woocommerce_customer_email_is_verified', '__return_true' );
		$this->assertSame( Confirmations::UNCONFIRMED, $this->state( $user ) );
		$this->services->get( Confirmations::class )->confirm( $user, Confirmations::BY_MAIL );
		$this->assertSame( Confirmations::CONFIRMED, $this->state( $user ) );
		$verified = $this->person( 'ben@example.test' );
		reset_password( $verified, 'another-password-of-the-tests' );
		$this->assertSame( Confirmations::CONFIRMED, $this->state( $verified ), 'it was verified before' );
	}

	public function test_a_filter_that_throws_confirms_nothing(): void {
		$user = $this->person();
		add_filter( 'woocommerce_customer_email_is_verified', static fn() => throw new \TypeError( 'of another plugin' ) );
		$this->assertSame( Confirmations::UNCONFIRMED, $this->state( $user ) );
	}

	public function test_deleting_a_user_deletes_the_confirmation(): void {
		$user = $this->person();
		$this->services->get( Confirmations::class )->confirm( $user, Confirmations::BY_MAIL );
		require_once ABSPATH . 'wp-admin/includes/user.php';
		wp_delete_user( $user->ID );
		$this->assertNull( $this->services->get( ConfirmationTable::class )->find( $user->ID ) );
	}

	public function test_the_email_is_stored_as_a_keyed_hash_only(): void {
		global $wpdb;
		$user = $this->person();
		$this->services->get( Confirmations::class )->confirm( $user, Confirmations::BY_MAIL );
		$row = $wpdb->get_row( "SELECT * FROM {$wpdb->prefix}tillsync_confirmation WHERE user_id = {$user->ID}", ARRAY_A );
		$this->assertMatchesRegularExpression( '/^[0-9a-f]{64}$/', $row['email_hash'] );
		$this->assertNotSame( hash( 'sha256', 'ada@example.test' ), $row['email_hash'] );
		$this->assertSame( 'mail', $row['ground'] );
		$this->assertStringNotContainsString( '@', implode( ' ', $row ) );
	}

	/** @group catches:confirmation-links-are-signed */
	public function test_a_link_is_valid_for_one_user_and_one_email_for_two_days(): void {
		$links = $this->services->get( ConfirmationLink::class );
		$user  = $this->person();
		$other = $this->person( 'ben@example.test' );
		parse_str( (string) wp_parse_url( $links->url( $user ), PHP_URL_QUERY ), $query );
		$token = $query[ ConfirmationLink::PARAMETER ];
		$this->assertTrue( $links->is_valid( $token, $user ) );
		$this->assertFalse( $links->is_valid( $token, $other ) );
		$this->assertFalse( $links->is_valid( preg_replace( '/^\d+/', (string) $other->ID, $token ), $other ) );
		$this->assertFalse( $links->is_valid( preg_replace( '/^(\d+)-(\d+)/', '$1-9$2', $token ), $user ) );
		foreach ( array( '', 'x', '1-2-3', $token . '0', strtoupper( $token ) ) as $wrong ) {
			$this->assertFalse( $links->is_valid( $wrong, $user ) );
		}
		$this->advance( 2 * DAY_IN_SECONDS - 1 );
		$this->assertTrue( $links->is_valid( $token, $user ) );
		$this->advance( 1 );
		$this->assertFalse( $links->is_valid( $token, $user ) );
		$this->advance( -3600 );
		$this->change_email( $user, 'other@example.test' );
		$this->assertFalse( $links->is_valid( $token, get_userdata( $user->ID ) ) );
	}

	public function test_a_user_gets_at_most_five_mails_a_day(): void {
		$table = $this->services->get( ConfirmationTable::class );
		$user  = $this->person();
		$sent  = 0;
		for ( $minute = 0; $minute < 120; $minute++ ) {
			$sent += $table->claim_mail( $user->ID ) ? 1 : 0;
			$this->advance( 60 );
		}
		$this->assertSame( 5, $sent, 'of 120 requests in two hours' );
		$this->advance( DAY_IN_SECONDS );
		$this->assertTrue( $table->claim_mail( $user->ID ) );
		$this->assertFalse( $table->claim_mail( $user->ID ) );
		$this->assertTrue( $table->claim_mail( $this->person( 'ben@example.test' )->ID ) );
		$this->assertSame( Confirmations::UNCONFIRMED, $this->state( $user ) );
	}

	public function test_an_order_has_the_confirmation_only_for_a_service_that_reads_it(): void {
		$user  = $this->person();
		$order = $this->order( 'processing', $user->ID, array( 'email' => 'ada@example.test' ) );
		$facts = OrderFacts::of( $order, 0, $this->services->get( Confirmations::class ) );
		$this->assertSame( Confirmations::UNCONFIRMED, $facts->message['order']['emailConfirmation'] );
		$this->assertSame( gmdate( 'Y-m-d\TH:i:s\Z', strtotime( $user->user_registered . ' UTC' ) ), $facts->message['order']['wooRegisteredTime'] );
		$before = $facts->hash();
		$this->services->get( Confirmations::class )->confirm( $user, Confirmations::BY_ADMIN );
		$facts = OrderFacts::of( $order, 0, $this->services->get( Confirmations::class ) );
		$this->assertSame( Confirmations::CONFIRMED, $facts->message['order']['emailConfirmation'] );
		$this->assertNotSame( $before, $facts->hash() );
		$older = OrderFacts::of( $order, 0 )->message['order'];
		$this->assertSame( array(), array_intersect( array( 'emailConfirmation', 'wooRegisteredTime' ), array_keys( $older ) ) );
		$guest = OrderFacts::of( $this->order(), 0, $this->services->get( Confirmations::class ) )->message['order'];
		$this->assertSame( array(), array_intersect( array( 'emailConfirmation', 'wooRegisteredTime' ), array_keys( $guest ) ) );
	}

	public function test_confirming_requests_a_rerun_of_the_newest_order(): void {
		$this->connect();
		$user   = $this->person();
		$older  = $this->due_order( $user->ID );
		$newest = $this->due_order( $user->ID );
		$others = $this->due_order( $this->person( 'ben@example.test' )->ID );
		foreach ( array( $older, $newest, $others ) as $order ) {
			$this->services->get( Outbox::class )->record( $this->services->get( Outbox::class )->claim_one( $order->get_id(), 60 ), array( 'state' => OutboxRow::DONE, 'facts_hash' => 'as sent' ) );
		}
		$calls = $this->calls_of( 'tillsync_email_confirmed' );
		$this->services->get( Confirmations::class )->confirm( $user, Confirmations::BY_MAIL );
		$this->assertSame( array( array( $user->ID, 'mail' ) ), $calls->getArrayCopy() );
		$this->assertSame( array( OutboxRow::DONE, OutboxRow::WAITING, OutboxRow::DONE ), array( $this->row( $older->get_id() )->state, $this->row( $newest->get_id() )->state, $this->row( $others->get_id() )->state ) );
		$this->assertTrue( $this->row( $newest->get_id() )->rerun );
	}

	public function test_erasing_a_person_removes_the_confirmation_and_sends_no_order_again(): void {
		$this->connect();
		$user  = $this->person();
		$order = $this->due_order( $user->ID );
		$this->services->get( Outbox::class )->record( $this->services->get( Outbox::class )->claim_one( $order->get_id(), 60 ), array( 'state' => OutboxRow::DONE, 'facts_hash' => 'as sent' ) );
		$this->services->get( ConfirmationTable::class )->confirm( $user->ID, $this->services->get( ConfirmationKey::class )->hash( 'ada@example.test' ), Confirmations::BY_MAIL );
		$person = $this->services->get( ShopPerson::class );
		$this->assertSame( 'mail', $person->confirmation( 'ada@example.test' )['ground'] );
		$this->assertTrue( $person->erase_values( 'ada@example.test' ) );
		$person->erase_order( $order );
		$this->assertNull( $person->confirmation( 'ada@example.test' ) );
		$this->assertSame( Confirmations::CHANGED, $this->state( $user ) );
		$this->services->get( Confirmations::class )->confirm( $user, Confirmations::BY_ADMIN );
		$this->assertSame( OutboxRow::DONE, $this->row( $order->get_id() )->state );
	}
}
