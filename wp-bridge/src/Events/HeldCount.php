<?php
/**
 * The number of held orders.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Events;

use Tillsync\Bridge\Clock;


/** Stores the service's last count of orders that wait for a person, so that screens show it without a call. */
class HeldCount {

	private const OPTION = 'tillsync_bridge_held';

	public function __construct( private readonly Clock $clock ) {}

	public function get(): int {
		$stored = get_option( self::OPTION );
		return is_array( $stored ) ? max( 0, (int) ( $stored['count'] ?? 0 ) ) : 0;
	}

	/** Returns the unix seconds at which the count arrived, or 0 before the first one. */
	public function stored_at(): int {
		$stored = get_option( self::OPTION );
		return is_array( $stored ) ? (int) ( $stored['at'] ?? 0 ) : 0;
	}

	public function store( int $count ): void {
		update_option( self::OPTION, array( 'count' => $count, 'at' => $this->clock->now() ), false );
	}
}
