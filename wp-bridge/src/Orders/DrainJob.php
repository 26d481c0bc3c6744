<?php
/**
 * When the outbox is emptied.
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
 * Action Scheduler runs the drain: the drain schedules its own next time, wp-admin pages kick it when something is due (its async runner
 * starts only there). The floor under that is a cron event every minute, which costs one read when there is nothing to do.
 */
final class DrainJob {

	/** When an automatic connect by TILLSYNC_CONNECT failed: not again before. */
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
		// Without Action Scheduler, or with one that stands still, older orders still get in.
		$this->backfill->portion_if_left_alone();
	}

	/** For a page of wp-admin. */
	public function kick_if_due(): void {
		if ( $this->connections->is_connected() && $this->drain->is_due() ) {
			$this->drain_timer->now();
		}
	}

	/** A connect string in wp-config.php is enough for a live shop. A test site, or a copy, waits for a person. */
	private function connect_by_constant(): void {
		$constant = $this->connections->constant();
		$now      = $this->clock->now();
		if ( null === $constant || $this->connections->is_connected() || null !== $this->connections->copy_of() || ! SiteIdentity::is_production()
			|| $now < (int) get_option( self::CONNECT_AFTER, 0 ) ) {
			return;
		}
		// Noted before the call: a request that dies in it does not try again at once.
		update_option( self::CONNECT_AFTER, $now + 15 * MINUTE_IN_SECONDS, false );
		try {
			$this->connector->connect( $constant );
			delete_option( self::CONNECT_AFTER );
		} catch ( ConnectError $error ) {
			$this->log->error( 'TILLSYNC_CONNECT: ' . $error->getMessage() );
		}
	}
}
