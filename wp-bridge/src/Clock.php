<?php
/**
 * The clock.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

/** Gives unix seconds for stored times and monotonic seconds for durations. Tests replace this class. */
class Clock {

	public function now(): int {
		return time();
	}

	/** Returns seconds since a fixed moment. The value never jumps when the server's clock is set. */
	public function monotonic(): float {
		return hrtime( true ) / 1e9;
	}
}
