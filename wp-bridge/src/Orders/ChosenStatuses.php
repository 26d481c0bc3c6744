<?php
/**
 * Order statuses to send.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** The statuses, without "wc-", in which an order is sent to the service. Each status change reads them, so the option is autoloaded. */
final class ChosenStatuses {

	public const OPTION  = 'tillsync_bridge_statuses';
	public const DEFAULT = array( 'processing', 'completed' );

	/** Statuses of orders that are no sale, or no longer one. The merchant cannot choose them. */
	private const NEVER = array( 'auto-draft', 'checkout-draft', 'trash', 'cancelled', 'failed', 'refunded' );

	/** @return string[] */
	public static function get(): array {
		$chosen = get_option( self::OPTION, self::DEFAULT );
		return is_array( $chosen ) && array() !== $chosen ? array_values( array_filter( $chosen, 'is_string' ) ) : self::DEFAULT;
	}

	/** @param mixed $posted The posted value. */
	public static function choose( $posted ): void {
		$available = array_keys( self::available() );
		$chosen    = array_values( array_intersect( $available, is_array( $posted ) ? $posted : array() ) );
		update_option( self::OPTION, array() === $chosen ? self::DEFAULT : $chosen, true );
	}

	/** @return array<string, string> Names by status without "wc-". */
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
