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
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Schema\Tables;
use WC_Order;

/**
 * Finds orders without an outbox row every hour: orders in a chosen status that were created, paid or completed since the shop was
 * connected. The order hook's INSERT failed for them, or the hook did not run (imports, other plugins' SQL, a deactivated plugin).
 *
 * A stored time says from when the next sweep searches. It advances only after a complete sweep, and stays two days behind. So an outage of
 * the database, of cron or of the plugin makes the next sweep search a longer time.
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
	 * Runs one sweep.
	 *
	 * @return int Number of orders found and added to the outbox.
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
			$new    = $this->outbox->without_row( self::new_since( $connection->orders_since, $orders ) );
			if ( null === $new ) {
				$this->tables->migrate();
				$whole = false;
				break;
			}
			foreach ( $new as $order_id ) {
				$found += $this->outbox->add( $order_id ) ? 1 : 0;
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
	 * Returns a page of orders in a chosen status. A status change updates the modification date, so it includes the order hook's orders.
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
	 * Returns the ids of orders that were created, paid or completed since the given time. Editing an older order does not make it new.
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
