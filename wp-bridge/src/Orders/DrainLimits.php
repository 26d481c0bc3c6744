<?php
/**
 * Limits of a drain.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;

/** Limits time and memory of one drain. A background request killed by its host leaves rows claimed until their claims end. */
final class DrainLimits {

	public const SECONDS      = 20.0;
	private const MEMORY_PART = 0.6;

	private float $end;
	private int $memory;

	/**
	 * @param float $seconds Time in which new work may begin; INF for a terminal.
	 */
	public function __construct( private Clock $clock, float $seconds = self::SECONDS ) {
		$this->end    = $clock->monotonic() + $seconds;
		$limit        = wp_convert_hr_to_bytes( (string) ini_get( 'memory_limit' ) );
		$this->memory = $limit > 0 ? (int) ( $limit * self::MEMORY_PART ) : PHP_INT_MAX;
	}

	/** Returns why no new work may begin, or an empty text. */
	public function reason_to_stop(): string {
		if ( $this->clock->monotonic() >= $this->end ) {
			return 'time';
		}
		return memory_get_usage( true ) >= $this->memory ? 'memory' : '';
	}
}
