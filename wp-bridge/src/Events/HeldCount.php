<?php
/**
 * How many orders wait for a person.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Events;

use Tillsync\Bridge\Services;

/** As the service said last: screens show it without asking. */
class HeldCount {

	private const OPTION = 'tillsync_bridge_held';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

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
		update_option( self::OPTION, array( 'count' => $count, 'at' => $this->services->clock()->now() ), false );
	}
}
