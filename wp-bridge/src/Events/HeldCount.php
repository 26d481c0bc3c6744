<?php
/**
 * How many orders wait for a person.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Events;

use Tillsync\Bridge\Clock;


/** As the service said last: screens show it without asking. */
class HeldCount {

	private const OPTION = 'tillsync_bridge_held';

	public function __construct( private readonly Clock $clock ) {}

	public function get(): int {
		$kept = get_option( self::OPTION );
		return is_array( $kept ) ? max( 0, (int) ( $kept['count'] ?? 0 ) ) : 0;
	}

	/** When it was said, in unix seconds; 0: never. */
	public function said_at(): int {
		$kept = get_option( self::OPTION );
		return is_array( $kept ) ? (int) ( $kept['at'] ?? 0 ) : 0;
	}

	public function keep( int $count ): void {
		update_option( self::OPTION, array( 'count' => $count, 'at' => $this->clock->now() ), false );
	}
}
