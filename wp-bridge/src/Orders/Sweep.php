<?php
/**
 * Finds what the hook missed.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Schema\Tables;
use WC_Order;

/**
 * Every hour: orders in a chosen status that were created, paid or completed since the shop was connected and have no row. The hook's INSERT
 * failed for them, or they came past it (imports, other plugins' SQL, a deactivated plugin).
 *
 * A mark keeps from when on is looked; it moves only when a sweep has seen everything, and stays two days behind, so an outage of the
 * database, of cron or of the plugin widens the window by itself.
 */
class Sweep {

	private const MARK   = 'tillsync_bridge_sweep';
	private const MISSED = 'tillsync_bridge_missed';

	private const OVERLAP_SECONDS = 2 * DAY_IN_SECONDS;
	private const PAGE            = 200;

	public function __construct(
		private readonly CopyGuard $copy_guard,
		private readonly Outbox $outbox,
		private readonly Tables $tables,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** At connecting: nothing older than this is sent by itself. A mark that is there already for the same time or later stays. */
	public function begin_at( int $orders_since ): void {
		if ( $this->mark() < $orders_since ) {
			update_option( self::MARK, $orders_since, false );
		}
	}

	/** How many orders sweeps have found that the hook had missed, in all. For Site Health. */
	public function missed(): int {
		return (int) get_option( self::MISSED, 0 );
	}

	/**
	 * One sweep.
	 *
	 * @return int Orders found without a row, and noted.
	 */
	public function run( ?DrainLimits $limits = null ): int {
		$connection = $this->copy_guard->usable();
		if ( null === $connection ) {
			return 0;
		}
		$limits = $limits ?? new DrainLimits( $this->clock );
		$began  = $this->clock->now();
		$since  = max( $connection->orders_since, $this->mark() );
		$found  = 0;
		$whole  = true;
		for ( $offset = 0; $whole; $offset += self::PAGE ) {
			$orders = self::changed_since( $since, $offset );
			$new    = $this->outbox->unknown_of( self::new_since( $connection->orders_since, $orders ) );
			if ( null === $new ) {
				$this->tables->migrate();
				$whole = false;
				break;
			}
			foreach ( $new as $order_id ) {
				$found += $this->outbox->note( $order_id ) ? 1 : 0;
			}
			if ( count( $orders ) < self::PAGE ) {
				break;
			}
			$whole = '' === $limits->reason_to_stop();
		}
		if ( $whole ) {
			update_option( self::MARK, max( $since, $began - self::OVERLAP_SECONDS ), false );
		}
		if ( $found > 0 ) {
			update_option( self::MISSED, $this->missed() + $found, false );
			$this->log->warning( "the sweep found {$found} orders that the order hook had missed" );
		}
		return $found;
	}

	/**
	 * A page of orders in a chosen status. A change of status is a change, so the hook's orders are among them.
	 *
	 * @return WC_Order[]
	 */
	private static function changed_since( int $since, int $offset ): array {
		$orders = wc_get_orders(
			array(
				'type'          => 'shop_order',
				'status'        => ChosenStatuses::get(),
				'date_modified' => '>=' . $since,
				'limit'         => self::PAGE,
				'offset'        => $offset,
				'orderby'       => 'ID',
				'order'         => 'ASC',
			)
		);
		return array_values( array_filter( is_array( $orders ) ? $orders : array(), array( OrderFacts::class, 'is_order' ) ) );
	}

	/**
	 * Of these, the ids of those that were created, paid or completed since: an old order that somebody edits stays old.
	 *
	 * @param WC_Order[] $orders Orders.
	 * @return int[]
	 */
	private static function new_since( int $since, array $orders ): array {
		$ids = array();
		foreach ( $orders as $order ) {
			$dates = array_filter( array( $order->get_date_created(), $order->get_date_paid(), $order->get_date_completed() ) );
			$times = array_map( static fn( $date ) => $date->getTimestamp(), $dates );
			if ( array() !== $times && max( $times ) >= $since ) {
				$ids[] = $order->get_id();
			}
		}
		return $ids;
	}

	private function mark(): int {
		return (int) get_option( self::MARK, 0 );
	}
}
