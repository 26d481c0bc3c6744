<?php
/**
 * When a row is looked at again.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Growing delays in seconds. Events of the service make rows due at once; these are the floor under them. */
final class RowDelay {

	private const PENDING = array( 5, 15, 45, 120, 300, 600, 900 );
	private const HELD    = array( 300, 900, 3600, 10800, 21600 );
	private const FAILED  = array( 60, 120, 240, 480, 960, 1800, 3600 );

	/** Until an undecided order is asked for again. */
	public static function of_pending( int $polls ): int {
		return self::at( self::PENDING, $polls );
	}

	/** Until a held order is asked for again: a person has to act first. */
	public static function of_held( int $polls ): int {
		return self::at( self::HELD, $polls );
	}

	/** Until a row whose sending failed is tried again. A tenth more or less, so that shops do not come all at once. */
	public static function of_failure( int $attempts ): int {
		$delay = self::at( self::FAILED, $attempts );
		return $delay + random_int( - intdiv( $delay, 10 ), intdiv( $delay, 10 ) );
	}

	/** @param int[] $steps Seconds. */
	private static function at( array $steps, int $index ): int {
		return $steps[ min( max( 0, $index ), count( $steps ) - 1 ) ];
	}
}
