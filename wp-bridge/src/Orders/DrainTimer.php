<?php
/**
 * When the outbox is emptied next.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Schedule;

/** Tells Action Scheduler. Cron comes anyway. */
class DrainTimer {

	public function __construct( private readonly Clock $clock ) {}

	/** Something is due now. */
	public function now(): void {
		$this->at( $this->clock->now() );
	}

	/** @param int $time Unix seconds. */
	public function at( int $time ): void {
		Schedule::at( $time, Schedule::DRAIN );
	}
}
