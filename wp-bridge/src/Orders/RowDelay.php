<?php
/**
 * Delays of outbox rows.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Growing delays in seconds. Events of the service make rows due at once, and these delays are the fallback. */
final class RowDelay {

	private const PENDING = array( 5, 15, 45, 120, 300, 600, 900 );
	private const HELD    = array( 300, 900, 3600, 10800, 21600 );
	private const FAILED  = array( 60, 120, 240, 480, 960, 1800, 3600 );

	/** Delay before the next poll of a pending order. */
	public static function of_pending( int $polls ): int {
		return self::at( self::PENDING, $polls );
	}

	/** Delay before the next poll of a held order. It is longer, because a person must act first. */
	public static function of_held( int $polls ): int {
		return self::at( self::HELD, $polls );
	}

	/** Delay before the next try of a failed row. It varies by a tenth, so that shops do not all call at the same moment. */
	public static function of_failure( int $attempts ): int {
		$delay = self::at( self::FAILED, $attempts );
		return $delay + random_int( - intdiv( $delay, 10 ), intdiv( $delay, 10 ) );
	}

	/** @param int[] $steps Delays in seconds. */
	private static function at( array $steps, int $index ): int {
		return $steps[ min( max( 0, $index ), count( $steps ) - 1 ) ];
	}
}
