<?php
/**
 * The hourly sweep.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Schema\Tables;

/**
 * Finds orders without an outbox row every hour: orders in a chosen status that were created, paid or completed since the shop was
 * connected. The order hook's INSERT failed for them, or the hook did not run (imports, other plugins' SQL, a deactivated plugin).
 *
 * A stored time says from when the next sweep searches. It advances only after a complete sweep, and stays two days behind. So an outage of
 * the database, of cron or of the plugin makes the next sweep search a longer time. A sweep goes from the newest order to the oldest. When
 * its time is over it stores its place. The next run first searches the orders that are newer than all of it, and then continues there.
 */
class Sweep {

	private const MARK   = 'tillsync_bridge_sweep';
	private const MISSED = 'tillsync_bridge_missed';

	/** Option with an unfinished sweep: its start in unix seconds, its highest id, and the id at which it continues. */
	private const PLACE = 'tillsync_bridge_sweep_place';

	private const OVERLAP_SECONDS = 2 * DAY_IN_SECONDS;
	private const PAGE            = 500;

	public function __construct(
		private readonly CopyGuard $copy_guard,
		private readonly OrderIds $order_ids,
		private readonly Outbox $outbox,
		private readonly Tables $tables,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * Sets the earliest time of the sweep at connecting. Older orders are not sent without a request. A stored time that is equal or later
	 * stays.
	 */
	public function start_from( int $orders_since ): void {
		if ( $this->mark() < $orders_since ) {
			update_option( self::MARK, $orders_since, false );
		}
	}

	/** Returns how many missed orders all sweeps have found, for Site Health. */
	public function missed(): int {
		return (int) get_option( self::MISSED, 0 );
	}

	/**
	 * Runs one sweep, or a part of it.
	 *
	 * @return int Number of orders found and added to the outbox.
	 * @throws DatabaseError
	 */
	public function run( ?DrainLimits $limits = null, int $page = self::PAGE ): int {
		$connection = $this->copy_guard->usable();
		if ( null === $connection ) {
			return 0;
		}
		$limits = $limits ?? new DrainLimits( $this->clock );
		$since  = max( $connection->orders_since, $this->mark() );
		$stored = get_option( self::PLACE );
		$place  = is_array( $stored ) ? $stored : array( 'began' => $this->clock->now(), 'top' => 0, 'below' => 0 );
		$top    = (int) $place['top'];
		$found  = 0;
		foreach ( array( array( PHP_INT_MAX, $top ), array( (int) $place['below'], 0 ) ) as list( $below, $above ) ) {
			$is_whole = $below <= 1;
			while ( ! $is_whole ) {
				$ids = $this->order_ids->changed_since( $since, $connection->orders_since, $below, $above, $page );
				$new = $this->outbox->without_row( $ids );
				if ( null === $new ) {
					$this->tables->migrate();
					break;
				}
				foreach ( $new as $order_id ) {
					$found += $this->outbox->add( $order_id ) ? 1 : 0;
				}
				$top      = max( $top, $ids[0] ?? 0 );
				$is_whole = count( $ids ) < $page;
				$below    = $is_whole ? $above : end( $ids );
				if ( ! $is_whole && '' !== $limits->reason_to_stop() ) {
					break;
				}
			}
			if ( ! $is_whole ) {
				// Nothing was searched when the first page failed, so the next run begins as this one did.
				if ( $below < PHP_INT_MAX ) {
					update_option( self::PLACE, array( 'began' => (int) $place['began'], 'top' => $top, 'below' => $below ), false );
				}
				$this->count_missed( $found );
				return $found;
			}
		}
		delete_option( self::PLACE );
		update_option( self::MARK, max( $since, (int) $place['began'] - self::OVERLAP_SECONDS ), false );
		$this->count_missed( $found );
		return $found;
	}

	private function count_missed( int $found ): void {
		if ( $found > 0 ) {
			update_option( self::MISSED, $this->missed() + $found, false );
			$this->log->warning( "the sweep found {$found} orders that the order hook had missed" );
		}
	}

	private function mark(): int {
		return (int) get_option( self::MARK, 0 );
	}
}
