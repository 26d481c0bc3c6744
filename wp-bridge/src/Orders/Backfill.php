<?php
/**
 * The backfill "Match the last N days".
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Schedule;

/**
 * Puts older orders into the outbox when the merchant asks for it. preview() counts them first. Then a background action adds them a
 * portion at a time, oldest first, so that till customers are created in the order of their orders.
 */
class Backfill {

	private const OPTION       = 'tillsync_bridge_backfill';
	private const PAGE         = 200;
	private const COUNT_LIMIT  = 20000;
	private const STALLED_SECONDS  = 300;
	public const LONGEST_DAYS  = 730;

	public function __construct(
		private readonly OrderIds $order_ids,
		private readonly Outbox $outbox,
		private readonly CopyGuard $copy_guard,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * Counts what a backfill would do: orders in a chosen status from the last days, and how many of them have not been sent.
	 *
	 * @return array{orders: int, new: int, capped: bool} Counting stops at 20,000 orders.
	 * @throws DatabaseError
	 */
	public function preview( int $days ): array {
		$orders = 0;
		$new    = 0;
		$since  = $this->since( $days );
		$last   = 0;
		while ( $orders < self::COUNT_LIMIT ) {
			$ids     = $this->order_ids->created_between( $since, $this->clock->now(), $last, self::PAGE );
			$orders += count( $ids );
			$new    += count( $this->outbox->without_row( $ids ) ?? array() );
			if ( count( $ids ) < self::PAGE ) {
				return array( 'orders' => $orders, 'new' => $new, 'capped' => false );
			}
			$last = end( $ids );
		}
		return array( 'orders' => $orders, 'new' => $new, 'capped' => true );
	}

	/** Starts a run. It replaces a running one, whose added orders stay in the outbox. */
	public function start( int $days ): void {
		$now = $this->clock->now();
		update_option( self::OPTION, array( 'since' => $this->since( $days ), 'last_id' => 0, 'noted' => 0, 'until' => $now, 'touched' => $now ), false );
		Schedule::at( $now, Schedule::BACKFILL );
	}

	/** Stops the run. Orders that it has added stay in the outbox. */
	public function stop(): void {
		delete_option( self::OPTION );
	}

	/** Returns how many orders the run has added, or null when no run is active. */
	public function added_count(): ?int {
		$run = get_option( self::OPTION );
		return is_array( $run ) ? (int) $run['noted'] : null;
	}

	/**
	 * Adds orders page by page, within the limits of a background request. A run that an earlier release began has an offset; it begins
	 * again at the oldest order, and orders with a row stay as they are.
	 *
	 * @throws DatabaseError
	 */
	public function run_portion( ?DrainLimits $limits = null, int $page = self::PAGE ): void {
		$run = get_option( self::OPTION );
		if ( ! is_array( $run ) || null === $this->copy_guard->usable() ) {
			return;
		}
		$limits = $limits ?? new DrainLimits( $this->clock );
		do {
			$last = (int) ( $run['last_id'] ?? 0 );
			$ids  = $this->order_ids->created_between( (int) $run['since'], (int) $run['until'], $last, $page );
			$new  = $this->outbox->without_row( $ids );
			foreach ( $new ?? array() as $order_id ) {
				$run['noted'] += $this->outbox->add( $order_id ) ? 1 : 0;
			}
			if ( null !== $new ) {
				$run['last_id'] = array() === $ids ? $last : end( $ids );
			}
			$run['touched'] = $this->clock->now();
			if ( null !== $new && count( $ids ) < $page ) {
				delete_option( self::OPTION );
				$this->log->info( "older orders: {$run['noted']} were put into the outbox" );
				return;
			}
			update_option( self::OPTION, $run, false );
		} while ( null !== $new && '' === $limits->reason_to_stop() );
		Schedule::at( $this->clock->now(), Schedule::BACKFILL );
	}

	/** Continues, in cron, a run without progress for five minutes. */
	public function resume_stalled(): void {
		$run = get_option( self::OPTION );
		if ( is_array( $run ) && (int) $run['touched'] < $this->clock->now() - self::STALLED_SECONDS ) {
			$this->run_portion();
		}
	}

	private function since( int $days ): int {
		return $this->clock->now() - max( 1, min( self::LONGEST_DAYS, $days ) ) * DAY_IN_SECONDS;
	}
}
