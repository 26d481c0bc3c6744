<?php
/**
 * Scheduling of the next drain.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Schedule;

/** Schedules drains in Action Scheduler. Cron runs a drain even without it. */
class DrainTimer {

	public function __construct( private readonly Clock $clock ) {}

	/** Schedules a drain now. */
	public function now(): void {
		$this->at( $this->clock->now() );
	}

	/** @param int $time Unix seconds. */
	public function at( int $time ): void {
		Schedule::at( $time, Schedule::DRAIN );
	}
}
