<?php
/**
 * Triggers of the drain.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\ConnectError;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\Connector;
use Tillsync\Bridge\Connection\SiteIdentity;
use Tillsync\Bridge\Log;

/**
 * Starts drains. A drain schedules the next one. Pages of wp-admin schedule one when rows are due, because they also start Action
 * Scheduler's async runner. A cron event every minute is the fallback. It costs one read when nothing is due.
 */
final class DrainJob {

	/** Option with the unix seconds before which TILLSYNC_CONNECT is not tried again after a failure. */
	private const CONNECT_AFTER = 'tillsync_bridge_connect_after';

	public function __construct(
		private readonly Drain $drain,
		private readonly DrainTimer $drain_timer,
		private readonly Backfill $backfill,
		private readonly Connector $connector,
		private readonly ConnectionStore $connections,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	public function minute(): void {
		$this->connect_by_constant();
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

	/** Connects a live shop by the connect string in wp-config.php. A test site or a copy waits for a person. */
	private function connect_by_constant(): void {
		$constant = $this->connections->constant();
		$now      = $this->clock->now();
		if ( null === $constant || $this->connections->is_connected() || null !== $this->connections->copy_of() || ! SiteIdentity::is_production()
			|| $now < (int) get_option( self::CONNECT_AFTER, 0 ) ) {
			return;
		}
		// Stored before the call, so that a request that dies during the call does not lead to an immediate second try.
		update_option( self::CONNECT_AFTER, $now + 15 * MINUTE_IN_SECONDS, false );
		try {
			$this->connector->connect( $constant );
			delete_option( self::CONNECT_AFTER );
		} catch ( ConnectError $error ) {
			$this->log->error( 'TILLSYNC_CONNECT: ' . $error->getMessage() );
		}
	}
}
