<?php
/**
 * How long a drain may go on.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;

/** Time and memory of one drain. A background request that is killed by its host would leave rows claimed until their claim ends. */
final class DrainLimits {

	public const SECONDS      = 20.0;
	private const MEMORY_PART = 0.6;

	private float $end;
	private int $memory;

	/**
	 * @param float $seconds How long new work is begun; INF for a terminal.
	 */
	public function __construct( private Clock $clock, float $seconds = self::SECONDS ) {
		$this->end    = $clock->monotonic() + $seconds;
		$limit        = wp_convert_hr_to_bytes( (string) ini_get( 'memory_limit' ) );
		$this->memory = $limit > 0 ? (int) ( $limit * self::MEMORY_PART ) : PHP_INT_MAX;
	}

	/** Why no new work is to be begun; empty: go on. */
	public function reason_to_stop(): string {
		if ( $this->clock->monotonic() >= $this->end ) {
			return 'time';
		}
		return memory_get_usage( true ) >= $this->memory ? 'memory' : '';
	}
}
