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

/** Schedules drains, in WordPress's cron and in Action Scheduler. The one that comes first runs it. */
class DrainTimer {

	public function __construct( private readonly Clock $clock ) {}

	/** Schedules a drain now. */
	public function now(): void {
		$this->at( $this->clock->now() );
	}

	/** Schedules a drain now, and starts cron. For a request of the service, which no visitor's page follows. */
	public function start(): void {
		$this->now();
		Schedule::start_cron();
	}

	/** @param int $time Unix seconds. */
	public function at( int $time ): void {
		Schedule::due_at( $time );
		Schedule::at( $time, Schedule::DRAIN );
	}
}
