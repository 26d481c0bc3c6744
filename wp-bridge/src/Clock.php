<?php
/**
 * Time.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

/** Unix seconds for what is stored, monotonic seconds for how long something took. Replaced in tests. */
class Clock {

	public function now(): int {
		return time();
	}

	/** Seconds since some fixed moment; never jumps when the server's clock is set. */
	public function monotonic(): float {
		return hrtime( true ) / 1e9;
	}
}
