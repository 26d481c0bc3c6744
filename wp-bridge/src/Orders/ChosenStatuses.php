<?php
/**
 * Which order statuses count.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Statuses, without "wc-", in which an order is told to the service. Read at each status change, so the option is autoloaded. */
final class ChosenStatuses {

	public const OPTION  = 'tillsync_bridge_statuses';
	public const DEFAULT = array( 'processing', 'completed' );

	/** Statuses that are no sale (any more): they cannot be chosen. */
	private const NEVER = array( 'auto-draft', 'checkout-draft', 'trash', 'cancelled', 'failed', 'refunded' );

	/** @return string[] */
	public static function get(): array {
		$chosen = get_option( self::OPTION, self::DEFAULT );
		return is_array( $chosen ) && array() !== $chosen ? array_values( array_filter( $chosen, 'is_string' ) ) : self::DEFAULT;
	}

	/** @param mixed $wanted What was posted. */
	public static function choose( $wanted ): void {
		$known  = array_keys( self::available() );
		$chosen = array_values( array_intersect( $known, is_array( $wanted ) ? $wanted : array() ) );
		update_option( self::OPTION, array() === $chosen ? self::DEFAULT : $chosen, true );
	}

	/** @return array<string, string> Status without "wc-": its name. */
	public static function available(): array {
		$available = array();
		foreach ( wc_get_order_statuses() as $status => $name ) {
			$bare = 0 === strpos( $status, 'wc-' ) ? substr( $status, 3 ) : $status;
			if ( ! in_array( $bare, self::NEVER, true ) ) {
				$available[ $bare ] = $name;
			}
		}
		return $available;
	}
}
