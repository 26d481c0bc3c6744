<?php
/**
 * Triggers of the drain.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\ConstantConnect;

/**
 * Starts drains. A drain schedules the next one. Pages of wp-admin schedule one when rows are due, because they also start Action
 * Scheduler's async runner. A cron event every minute is the fallback. It costs one read when nothing is due.
 */
final class DrainJob {

	public function __construct(
		private readonly Drain $drain,
		private readonly DrainTimer $drain_timer,
		private readonly Backfill $backfill,
		private readonly ConstantConnect $constant_connect,
		private readonly ConnectionStore $connections
	) {}

	public function minute(): void {
		$this->constant_connect->run();
		if ( $this->connections->is_connected() && $this->drain->is_due() ) {
			$this->drain->run();
		}
		// Continues a backfill even without Action Scheduler, or when its queue does not run.
		$this->backfill->resume_stalled();
	}

	/** Schedules a drain from a wp-admin page. */
	public function kick_if_due(): void {
		if ( $this->connections->is_connected() && $this->drain->is_due() ) {
			$this->drain_timer->now();
		}
	}
}
