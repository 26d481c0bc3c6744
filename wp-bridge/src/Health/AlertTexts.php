<?php
/**
 * Translated texts of alerts.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Screens\OutcomeTexts;
use Tillsync\Bridge\Screens\QueuesPage;
use Tillsync\Bridge\Screens\SettingsIntegration;

/** Describes an alert for notices and mails: title, remedy and address. */
final class AlertTexts {

	/** Returns one line without names, because other people may see mails and notices. */
	public static function title( Alert $alert ): string {
		switch ( $alert->code ) {
			case Alert::REFUSED:
				return __( 'The service refuses this shop: no orders are sent', 'tillsync-bridge' );
			case Alert::ACCOUNT_PROBLEM:
				$words = CheckTexts::of_reason( $alert->reason );
				return null === $words
					? __( 'All customers and orders wait: the till or the shop cannot be used', 'tillsync-bridge' )
					/* translators: %s: a sentence, such as "Epos Now refused the API credentials." */
					: sprintf( __( '%s All customers and orders wait', 'tillsync-bridge' ), $words[0] );
			case Alert::DEFAULT_CUSTOMER:
				return __( 'Orders wait because no default till customer is set', 'tillsync-bridge' );
			case Alert::PRODUCTS:
				return __( 'Orders wait because of products that are not linked to the till', 'tillsync-bridge' );
			case Alert::COPY:
				return __( 'Nothing is sent: this site is not where it was connected', 'tillsync-bridge' );
		}
		$count = count( $alert->order_ids );
		$whose = $alert->user_id > 0
			/* translators: %d: id of a WordPress user */
			? sprintf( __( 'customer %d', 'tillsync-bridge' ), $alert->user_id )
			: __( 'a guest', 'tillsync-bridge' );
		if ( 'OUTCOME_DUPLICATE_EMAIL' === $alert->code ) {
			/* translators: 1: number of orders, 2: "customer 12" or "a guest" */
			return sprintf( _n( '%1$d order of %2$s waits: the till has several customers with the same email', '%1$d orders of %2$s wait: the till has several customers with the same email', $count, 'tillsync-bridge' ), $count, $whose );
		}
		/* translators: 1: number of orders, 2: "customer 12" or "a guest" */
		return sprintf( _n( '%1$d order of %2$s waits: its till customer could not be decided', '%1$d orders of %2$s wait: their till customer could not be decided', $count, 'tillsync-bridge' ), $count, $whose );
	}

	public static function what_to_do( Alert $alert ): string {
		switch ( $alert->code ) {
			case Alert::REFUSED:
				return __( 'Ask your tillsync operator for a new connect string, then connect again. The orders wait in the shop meanwhile.', 'tillsync-bridge' );
			case Alert::ACCOUNT_PROBLEM:
				$words = CheckTexts::of_reason( $alert->reason );
				return null === $words
					? __( 'Test both sides on the settings screen: each step says what is wrong. Everything goes on by itself afterwards.', 'tillsync-bridge' )
					: $words[1] . ' ' . __( 'Everything goes on by itself afterwards.', 'tillsync-bridge' );
			case Alert::DEFAULT_CUSTOMER:
				return __( 'Choose the default till customer on the settings screen: the orders go on by themselves.', 'tillsync-bridge' );
			case Alert::PRODUCTS:
				return __( 'Link the products named in the notes of the orders, then retry.', 'tillsync-bridge' );
			case Alert::COPY:
				return __( 'Choose on the settings screen whether this is a copy or the shop has moved.', 'tillsync-bridge' );
			case 'OUTCOME_DUPLICATE_EMAIL':
				return __( 'Choose the right one on the queues page: with one click all orders of this person go on.', 'tillsync-bridge' );
			default:
				return OutcomeTexts::of( $alert->code )['what_to_do'];
		}
	}

	/** Returns the address of the screen that solves the alert. */
	public static function url( Alert $alert ): string {
		if ( in_array( $alert->code, array( Alert::REFUSED, Alert::ACCOUNT_PROBLEM, Alert::DEFAULT_CUSTOMER, Alert::COPY ), true ) ) {
			return SettingsIntegration::url();
		}
		return QueuesPage::url( array( 'queue' => 'orders', 'state' => 'held' ) + ( array() === $alert->order_ids || Alert::PRODUCTS === $alert->code ? array() : array( 'search' => (string) $alert->order_ids[0] ) ) );
	}

	/** Returns the numbers of the first orders, as shoppers see them. */
	public static function orders( Alert $alert ): string {
		if ( array() === $alert->order_ids ) {
			return '';
		}
		$numbers = array();
		foreach ( array_slice( $alert->order_ids, 0, 10 ) as $order_id ) {
			$order     = function_exists( 'wc_get_order' ) ? wc_get_order( $order_id ) : false;
			$numbers[] = $order instanceof \WC_Order ? (string) $order->get_order_number() : (string) $order_id;
		}
		$list = implode( ', ', $numbers ) . ( count( $alert->order_ids ) > 10 ? ' …' : '' );
		/* translators: %s: order numbers */
		return sprintf( _n( 'Order: %s', 'Orders: %s', count( $alert->order_ids ), 'tillsync-bridge' ), $list );
	}
}
