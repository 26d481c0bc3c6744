<?php
/**
 * Causes in the words of the merchant's language.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Screens\OutcomeWords;
use Tillsync\Bridge\Screens\QueuesPage;
use Tillsync\Bridge\Screens\SettingsIntegration;

/** For notices and mails: what it is, what to do, and where. */
final class CauseWords {

	/** One line, without names: mails and notices are read over shoulders. */
	public static function title( Cause $cause ): string {
		switch ( $cause->code ) {
			case Cause::REFUSED:
				return __( 'The service refuses this shop: no orders are sent', 'tillsync-bridge' );
			case Cause::ACCOUNT_PROBLEM:
				$words = CheckWords::of_reason( $cause->reason );
				return null === $words
					? __( 'All customers and orders wait: the till or the shop cannot be used', 'tillsync-bridge' )
					/* translators: %s: a sentence, such as "The till does not let the service in." */
					: sprintf( __( '%s All customers and orders wait', 'tillsync-bridge' ), $words[0] );
			case Cause::DEFAULT_CUSTOMER:
				return __( 'Orders wait because no default till customer is set', 'tillsync-bridge' );
			case Cause::PRODUCTS:
				return __( 'Orders wait because of products that are not linked to the till', 'tillsync-bridge' );
			case Cause::COPY:
				return __( 'Nothing is sent: this site is not where it was connected', 'tillsync-bridge' );
		}
		$count = count( $cause->order_ids );
		$whose = $cause->user_id > 0
			/* translators: %d: id of a WordPress user */
			? sprintf( __( 'customer %d', 'tillsync-bridge' ), $cause->user_id )
			: __( 'a guest', 'tillsync-bridge' );
		if ( 'OUTCOME_DUPLICATE_EMAIL' === $cause->code ) {
			/* translators: 1: number of orders, 2: "customer 12" or "a guest" */
			return sprintf( _n( '%1$d order of %2$s waits: the till has several customers with the same email', '%1$d orders of %2$s wait: the till has several customers with the same email', $count, 'tillsync-bridge' ), $count, $whose );
		}
		/* translators: 1: number of orders, 2: "customer 12" or "a guest" */
		return sprintf( _n( '%1$d order of %2$s waits: its till customer could not be decided', '%1$d orders of %2$s wait: their till customer could not be decided', $count, 'tillsync-bridge' ), $count, $whose );
	}

	public static function what_to_do( Cause $cause ): string {
		switch ( $cause->code ) {
			case Cause::REFUSED:
				return __( 'Ask your tillsync operator for a new connect string, then connect again. The orders wait in the shop meanwhile.', 'tillsync-bridge' );
			case Cause::ACCOUNT_PROBLEM:
				$words = CheckWords::of_reason( $cause->reason );
				return null === $words
					? __( 'Test both sides on the settings screen: each step says what is wrong. Everything goes on by itself afterwards.', 'tillsync-bridge' )
					: $words[1] . ' ' . __( 'Everything goes on by itself afterwards.', 'tillsync-bridge' );
			case Cause::DEFAULT_CUSTOMER:
				return __( 'Choose the default till customer on the settings screen: the orders go on by themselves.', 'tillsync-bridge' );
			case Cause::PRODUCTS:
				return __( 'Link the products named in the notes of the orders, then retry.', 'tillsync-bridge' );
			case Cause::COPY:
				return __( 'Say on the settings screen whether this is a copy or the shop has moved.', 'tillsync-bridge' );
			case 'OUTCOME_DUPLICATE_EMAIL':
				return __( 'Choose the right one on the queues page: with one click all orders of this person go on.', 'tillsync-bridge' );
			default:
				return OutcomeWords::of( $cause->code )['what_to_do'];
		}
	}

	/** Where it is put right. */
	public static function url( Cause $cause ): string {
		if ( in_array( $cause->code, array( Cause::REFUSED, Cause::ACCOUNT_PROBLEM, Cause::DEFAULT_CUSTOMER, Cause::COPY ), true ) ) {
			return SettingsIntegration::url();
		}
		return QueuesPage::url( array( 'queue' => 'orders', 'state' => 'held' ) + ( array() === $cause->order_ids || Cause::PRODUCTS === $cause->code ? array() : array( 'search' => (string) $cause->order_ids[0] ) ) );
	}

	/** Orders by the numbers shoppers see, some of them. */
	public static function orders( Cause $cause ): string {
		if ( array() === $cause->order_ids ) {
			return '';
		}
		$numbers = array();
		foreach ( array_slice( $cause->order_ids, 0, 10 ) as $order_id ) {
			$order     = function_exists( 'wc_get_order' ) ? wc_get_order( $order_id ) : false;
			$numbers[] = $order instanceof \WC_Order ? (string) $order->get_order_number() : (string) $order_id;
		}
		$list = implode( ', ', $numbers ) . ( count( $cause->order_ids ) > 10 ? ' …' : '' );
		/* translators: %s: order numbers */
		return sprintf( _n( 'Order: %s', 'Orders: %s', count( $cause->order_ids ), 'tillsync-bridge' ), $list );
	}
}
