<?php
/**
 * Sentences about refused orders.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Says what to change in an order that the service refuses. The service names the field, such as "orders[0].order.first_name: must not …". */
final class RefusalText {

	/** @param string $error_text The service's English message. */
	public static function of( string $error_text ): string {
		$found = array();
		if ( ! preg_match( '/(?:^|[.; ])(first_name|last_name|company|phone|billing_email|account_email|order_number): ([^;]+)/', $error_text, $found ) ) {
			/* translators: %s: what the service said */
			return sprintf( __( 'The service refuses this order: %s', 'tillsync-bridge' ), $error_text );
		}
		/* translators: 1: name of a field of an order, 2: what is wrong with it, in English */
		return sprintf( __( 'The order cannot be sent because of its %1$s (%2$s). Edit the order, then send it again.', 'tillsync-bridge' ), self::field( $found[1] ), trim( $found[2] ) );
	}

	private static function field( string $name ): string {
		switch ( $name ) {
			case 'first_name':
				return __( 'billing first name', 'tillsync-bridge' );
			case 'last_name':
				return __( 'billing last name', 'tillsync-bridge' );
			case 'company':
				return __( 'billing company', 'tillsync-bridge' );
			case 'phone':
				return __( 'billing phone', 'tillsync-bridge' );
			case 'billing_email':
				return __( 'billing email', 'tillsync-bridge' );
			case 'account_email':
				return __( 'email of the customer\'s account', 'tillsync-bridge' );
			default:
				return __( 'order number', 'tillsync-bridge' );
		}
	}
}
