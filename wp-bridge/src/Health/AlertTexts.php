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

	/** Number of orders that a notice or mail names. */
	private const SHOWN = 10;

	/**
	 * Returns one line. It names the person of the orders, as WooCommerce's list of orders and its own mails to the shop do: only people who
	 * manage orders read it.
	 */
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
		$first = 0 < $count ? self::order( $alert->order_ids[0] ) : null;
		$name  = null === $first ? '' : self::name( $first );
		$which = null === $first ? '' : '#' . $first->get_order_number() . ( '' === $name ? '' : " ({$name})" );
		if ( Alert::REFUSED_ORDERS === $alert->code ) {
			return 1 === $count && '' !== $which
				/* translators: %s: number and name, such as "#21 (Ben Nevis)" */
				? sprintf( __( 'Order %s could not be sent to the till', 'tillsync-bridge' ), $which )
				/* translators: %s: number of orders */
				: sprintf( _n( '%s order could not be sent to the till', '%s orders could not be sent to the till', $count, 'tillsync-bridge' ), number_format_i18n( $count ) );
		}
		$cause = 'OUTCOME_DUPLICATE_EMAIL' === $alert->code
			? __( 'several till customers use the same email address', 'tillsync-bridge' )
			: __( 'its till customer is not clear', 'tillsync-bridge' );
		if ( 1 === $count && '' !== $which ) {
			/* translators: 1: number and name, such as "#21 (Ben Nevis)", 2: the cause */
			return sprintf( __( 'Order %1$s needs review: %2$s', 'tillsync-bridge' ), $which, $cause );
		}
		if ( '' === $name ) {
			/* translators: 1: number of orders, 2: the cause */
			return sprintf( _n( '%1$s order needs review: %2$s', '%1$s orders need review: %2$s', $count, 'tillsync-bridge' ), number_format_i18n( $count ), $cause );
		}
		/* translators: 1: number of orders, 2: name of the shopper, 3: the cause */
		return sprintf( _n( '%1$s order of %2$s needs review: %3$s', '%1$s orders of %2$s need review: %3$s', $count, 'tillsync-bridge' ), number_format_i18n( $count ), $name, $cause );
	}

	/** Returns the name of the link to the screen that solves the alert. */
	public static function link( Alert $alert ): string {
		if ( 'OUTCOME_DUPLICATE_EMAIL' === $alert->code ) {
			return __( 'Choose customer', 'tillsync-bridge' );
		}
		if ( Alert::REFUSED_ORDERS === $alert->code ) {
			return 1 === count( $alert->order_ids ) ? __( 'Edit order', 'tillsync-bridge' ) : __( 'Review orders', 'tillsync-bridge' );
		}
		return $alert->is_of_person() ? __( 'Review orders', 'tillsync-bridge' ) : __( 'Put it right', 'tillsync-bridge' );
	}

	public static function what_to_do( Alert $alert ): string {
		switch ( $alert->code ) {
			case Alert::REFUSED:
				return __( 'Ask your tillsync operator for a new connect string, then connect again. The orders wait in the shop meanwhile.', 'tillsync-bridge' );
			case Alert::ACCOUNT_PROBLEM:
				$words = CheckTexts::of_reason( $alert->reason );
				return null === $words
					? __( 'Test connection on the settings screen: each step says what is wrong. Everything goes on by itself afterwards.', 'tillsync-bridge' )
					: $words[1] . ' ' . __( 'Everything goes on by itself afterwards.', 'tillsync-bridge' );
			case Alert::DEFAULT_CUSTOMER:
				return __( 'Choose the default till customer on the settings screen: the orders go on by themselves.', 'tillsync-bridge' );
			case Alert::PRODUCTS:
				return __( 'Link the products named in the notes of the orders, then retry.', 'tillsync-bridge' );
			case Alert::COPY:
				return __( 'Choose on the settings screen whether this is a copy or the shop has moved.', 'tillsync-bridge' );
			case Alert::REFUSED_ORDERS:
				return __( 'The service refuses what the order says. Edit the order, then send it again with Match again.', 'tillsync-bridge' );
			case 'OUTCOME_DUPLICATE_EMAIL':
				return __( 'Choose the right customer once. All orders of this person continue then.', 'tillsync-bridge' );
			default:
				return OutcomeTexts::of( $alert->code )['what_to_do'];
		}
	}

	/** Returns the address of the screen that solves the alert. */
	public static function url( Alert $alert ): string {
		if ( in_array( $alert->code, array( Alert::REFUSED, Alert::ACCOUNT_PROBLEM, Alert::DEFAULT_CUSTOMER, Alert::COPY ), true ) ) {
			return SettingsIntegration::url();
		}
		if ( Alert::REFUSED_ORDERS === $alert->code ) {
			$order = 1 === count( $alert->order_ids ) ? self::order( $alert->order_ids[0] ) : null;
			return null === $order ? QueuesPage::url( array( 'queue' => 'orders' ) ) : (string) $order->get_edit_order_url();
		}
		return QueuesPage::url( array( 'queue' => 'orders', 'state' => 'held' ) + ( array() === $alert->order_ids || Alert::PRODUCTS === $alert->code ? array() : array( 'search' => (string) $alert->order_ids[0] ) ) );
	}

	/**
	 * Returns the first orders: numbers as shoppers see them, names, and addresses of their screens.
	 *
	 * @return array<int, array{text: string, url: string}> At most SHOWN.
	 */
	public static function orders( Alert $alert ): array {
		$shown = array();
		foreach ( array_slice( $alert->order_ids, 0, self::SHOWN ) as $order_id ) {
			$order = self::order( $order_id );
			$shown[] = null === $order
				? array( 'text' => "#{$order_id}", 'url' => '' )
				: array( 'text' => trim( '#' . $order->get_order_number() . ' ' . self::name( $order ) ), 'url' => (string) $order->get_edit_order_url() );
		}
		return $shown;
	}

	/** Returns the orders as links, or an empty text. */
	public static function orders_html( Alert $alert ): string {
		$links = array_map( static fn( array $shown ) => '' === $shown['url'] ? esc_html( $shown['text'] ) : sprintf( '<a href="%s">%s</a>', esc_url( $shown['url'] ), esc_html( $shown['text'] ) ), self::orders( $alert ) );
		return implode( ', ', $links ) . ( count( $alert->order_ids ) > self::SHOWN ? ' …' : '' );
	}

	private static function order( int $order_id ): ?\WC_Order {
		$order = function_exists( 'wc_get_order' ) ? wc_get_order( $order_id ) : false;
		return $order instanceof \WC_Order ? $order : null;
	}

	/** Returns the shopper's name of an order, or an empty text. */
	private static function name( \WC_Order $order ): string {
		return trim( $order->get_billing_first_name() . ' ' . $order->get_billing_last_name() );
	}
}
