<?php
/**
 * Report of one drain.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Counts for the log, the command line and tests. */
final class DrainReport {

	/** Orders that the service accepted. */
	public int $sent = 0;
	/** Polled answers. */
	public int $polled = 0;
	/** Rows whose entry ended at the service. */
	public int $ended = 0;
	/** Rows that the service refused, or whose entry failed. */
	public int $failed = 0;
	/** Rows closed unsent. */
	public int $closed = 0;
	/** Rows postponed, with their reason. */
	public int $postponed = 0;
	/** User changes that were sent. */
	public int $users = 0;
	/** Failed calls. */
	public int $failed_calls = 0;
	/** not_connected, paused, breaker, throttled, table, time or memory; empty when nothing is due any more. */
	public string $stopped_by = '';
	/** Unix seconds at which the next row is due; null when none is live. */
	public ?int $next_due = null;

	/** @return array<string, int|string|null> */
	public function to_array(): array {
		return get_object_vars( $this );
	}
}
