<?php
/**
 * What one drain did.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Counts of one drain, for the log, the command line and tests. */
final class DrainReport {

	/** Orders the service accepted. */
	public int $sent = 0;
	/** Answers asked for. */
	public int $polled = 0;
	/** Rows that came to their end at the service. */
	public int $ended = 0;
	/** Rows the service refused, or gave up. */
	public int $failed = 0;
	/** Rows closed unsent. */
	public int $closed = 0;
	/** Rows put off, with a reason of their own. */
	public int $postponed = 0;
	/** Changes of users that were told. */
	public int $users = 0;
	/** Calls that failed. */
	public int $failed_calls = 0;
	/** not_connected, paused, breaker, throttled, table, time, memory; empty: nothing is due any more. */
	public string $stopped_by = '';
	/** When the next row is due, in unix seconds; null: none is live. */
	public ?int $next_due = null;

	/** @return array<string, int|string|null> */
	public function to_array(): array {
		return get_object_vars( $this );
	}
}
